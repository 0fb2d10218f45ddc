import NIOCore

/// Runs tasks on one event loop, in the order they are enqueued. Work that shares a connection's loop needs no hop
/// between threads; it must not block.
package final class LoopExecutor: TaskExecutor, SerialExecutor {
    private let eventLoop: any EventLoop

    package init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute {
            job.runSynchronously(
                isolatedTo: self.asUnownedSerialExecutor(), taskExecutor: self.asUnownedTaskExecutor())
        }
    }

    package func checkIsolated() {
        eventLoop.preconditionInEventLoop()
    }
}
