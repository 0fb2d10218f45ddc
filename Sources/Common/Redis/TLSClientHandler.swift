import ArgusCore
import COpenSSL
import NIOCore

/// TLS of the system's OpenSSL over two memory BIOs: ciphertext in, plaintext out, and the reverse.
///
///     handshaking ──done──▶ open ──close_notify, error──▶ closed
///
/// Nothing is encrypted, so no password leaves, before the certificate is verified.
final class TLSClientHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case handshaking, open, closed
    }

    private static let chunk = 16_384

    private let tls: TLSClientContext
    private let ssl: OpaquePointer
    /// Owned by `ssl`.
    private let received: OpaquePointer
    private let toSend: OpaquePointer
    private var phase = Phase.handshaking
    private var unencrypted = CircularBuffer<(bytes: ByteBuffer, promise: EventLoopPromise<Void>?)>()

    init(_ tls: TLSClientContext) throws(ArgusError) {
        self.tls = tls
        guard let ssl = tls.makeSSL(), let received = BIO_new(BIO_s_mem()), let toSend = BIO_new(BIO_s_mem()) else {
            throw TLSClientContext.failure("TLS for \(tls.host) can't be set up")
        }
        SSL_set_bio(ssl, received, toSend)
        self.ssl = ssl
        self.received = received
        self.toSend = toSend
    }

    deinit {
        SSL_free(ssl)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { shakeHands(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        shakeHands(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(context, ChannelError.ioOnClosedChannel)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end(context, ChannelError.ioOnClosedChannel)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
            _ = BIO_write(received, bytes.baseAddress, Int32(bytes.count))
        }
        if phase == .handshaking { shakeHands(context) }
        if phase == .open {
            decrypt(context)
            encrypt(context)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard phase != .closed else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        unencrypted.append((unwrapOutboundIn(data), promise))
    }

    func flush(context: ChannelHandlerContext) {
        if phase == .open { encrypt(context) }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if phase == .open {
            ERR_clear_error()
            SSL_shutdown(ssl)
            sendCiphertext(context, promise: nil)
        }
        end(context, ChannelError.ioOnClosedChannel)
        context.close(mode: mode, promise: promise)
    }

    private func shakeHands(_ context: ChannelHandlerContext) {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        sendCiphertext(context, promise: nil)
        if result == 1 {
            phase = .open
            encrypt(context)
        } else if SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ {
            fail(context, handshakeFailure())
        }
    }

    private func decrypt(_ context: ChannelHandlerContext) {
        var plaintext = context.channel.allocator.buffer(capacity: Self.chunk)
        var result: Int32
        repeat {
            ERR_clear_error()
            result = 0
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.chunk) { bytes in
                result = SSL_read(ssl, bytes.baseAddress, Int32(clamping: bytes.count))
                return max(0, Int(result))
            }
        } while result > 0
        let error = SSL_get_error(ssl, result)
        let reason = TLSClientContext.opensslReason()
        if plaintext.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(plaintext)) }
        switch error {
        case SSL_ERROR_WANT_READ: break
        case SSL_ERROR_ZERO_RETURN: context.close(promise: nil)
        default: fail(context, breakage(reason))
        }
    }

    private func encrypt(_ context: ChannelHandlerContext) {
        while phase == .open, let (bytes, promise) = unencrypted.popFirst() {
            var bytes = bytes
            while bytes.readableBytes > 0 {
                ERR_clear_error()
                let written = bytes.withUnsafeReadableBytes {
                    SSL_write(ssl, $0.baseAddress, Int32(min($0.count, 1 << 20)))
                }
                guard written > 0 else {
                    promise?.fail(ChannelError.ioOnClosedChannel)
                    return fail(context, ArgusError(.unavailable, "TLS to Redis can't encrypt"))
                }
                bytes.moveReaderIndex(forwardBy: Int(written))
            }
            sendCiphertext(context, promise: promise)
        }
    }

    /// Always completes `promise`.
    private func sendCiphertext(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        let count = argus_bio_pending(toSend)
        guard count > 0 else {
            promise?.succeed()
            return
        }
        var ciphertext = context.channel.allocator.buffer(capacity: count)
        ciphertext.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            max(0, Int(BIO_read(toSend, bytes.baseAddress, Int32(clamping: count))))
        }
        context.writeAndFlush(wrapOutboundOut(ciphertext), promise: promise)
    }

    private func handshakeFailure() -> ArgusError {
        let reason = TLSClientContext.opensslReason()
        let verdict = SSL_get_verify_result(ssl)
        switch Int32(verdict) {
        case X509_V_OK:
            return ArgusError(
                .invalidArgument,
                "TLS with Redis failed (\(reason)): check that the port speaks TLS; write redis:// if it does not")
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return ArgusError(
                .invalidArgument,
                "the certificate of Redis is not for \(tls.host): use a name that stands in it, or issue one for it")
        default:
            return ArgusError(
                .invalidArgument,
                "the certificate of Redis is refused (\(String(cString: X509_verify_cert_error_string(verdict)))): "
                    + "name its authority with ?ca=/path/of.pem in ARGUS_REDIS_URL, or with SSL_CERT_FILE")
        }
    }

    /// In TLS 1.3 the peer's judgement of our own certificate comes after the handshake.
    private func breakage(_ reason: String) -> ArgusError {
        guard reason.contains("certificate") else {
            return ArgusError(.unavailable, "the TLS connection to Redis broke (\(reason))")
        }
        return ArgusError(
            .invalidArgument,
            "Redis refuses our certificate (\(reason)): name one with ?cert=/path&key=/path in ARGUS_REDIS_URL, or set "
                + "tls-auth-clients no in redis.conf")
    }

    private func fail(_ context: ChannelHandlerContext, _ error: ArgusError) {
        guard phase != .closed else { return }
        end(context, error)
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    private func end(_ context: ChannelHandlerContext, _ error: any Error) {
        phase = .closed
        let lost = unencrypted
        unencrypted.removeAll()
        for (_, promise) in lost { promise?.fail(error) }
    }
}
