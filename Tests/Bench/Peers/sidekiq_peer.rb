# The verbs of common.py for Sidekiq. Loaded by `sidekiq -r` to work, run by `ruby` for the others.
require 'sidekiq'
require 'json'

URL = ENV.fetch('BENCH_URL')
JOBS = ENV.fetch('BENCH_JOBS').to_i
RATE = ENV.fetch('BENCH_RATE', '200').to_i

Sidekiq.configure_client { |config| config.redis = { url: URL } }
Sidekiq.configure_server do |config|
  config.redis = { url: URL }
  config.logger.level = Logger::WARN # its two lines for each job cost a third of its speed
end

class Meter
  @lock = Mutex.new
  @waits = []

  def self.began(sent)
    now = Time.now.to_f
    @lock.synchronize do
      @first ||= now
      @waits << (now - sent) * 1000
      finish(now) if @waits.size == JOBS
    end
  end

  def self.finish(now)
    waits = @waits.sort
    rss = File.read('/proc/self/status')[/VmRSS:\s+(\d+)/, 1].to_i / 1024.0
    tell(rate: JOBS / [now - @first, 1e-9].max, count: JOBS, rss: rss, p50: waits[JOBS / 2], p99: waits[JOBS * 99 / 100])
  end

  def self.tell(result)
    Sidekiq.redis { |redis| redis.rpush('bench:result', result.to_json) }
  end
end

class Noop
  include Sidekiq::Worker

  def perform(sent)
    if ENV['BENCH_HOLD']
      Sidekiq.redis { |redis| redis.rpush('bench:started', Process.pid) }
      sleep 3600
    end
    Meter.began(sent)
  end
end

def timed
  start = Time.now.to_f
  yield
  Meter.tell(rate: JOBS / (Time.now.to_f - start))
end

case $PROGRAM_NAME == __FILE__ && ARGV[0]
when 'enqueue' then timed { JOBS.times { Noop.perform_async(Time.now.to_f) } }
when 'bulk'
  timed do
    (0...JOBS).each_slice(1000) do |slice|
      Sidekiq::Client.push_bulk('class' => Noop, 'args' => slice.map { [Time.now.to_f] })
    end
  end
when 'pace'
  start = Time.now.to_f
  JOBS.times do |number|
    sleep [0, start + number.to_f / RATE - Time.now.to_f].max
    Noop.perform_async(Time.now.to_f)
  end
end
