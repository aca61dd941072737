import Synchronization

/// Requests of each client: a bucket of `burst` tokens that fills by `rate` a second; a request takes one.
final class RateLimiter: Sendable {
    private struct Bucket {
        var tokens: Double
        var time: Double
    }

    /// Clients that are remembered; beyond that, those whose buckets are full are forgotten.
    private static let mostClients = 10_000

    private let rate: Double
    private let burst: Double
    private let clock: @Sendable () -> Double
    private let buckets = Mutex<[String: Bucket]>([:])

    /// - Parameters:
    ///   - rate: a second; 0 for any number.
    ///   - clock: seconds that only go forward.
    init(rate: Double, burst: Int, clock: @escaping @Sendable () -> Double) {
        (self.rate, self.burst, self.clock) = (rate, Double(burst), clock)
    }

    /// nil lets the request through; else the seconds after which it may come again.
    func delay(_ client: String, cost: Double = 1) -> Double? {
        guard rate > 0 else { return nil }
        let now = clock()
        return buckets.withLock { buckets in
            if buckets.count >= Self.mostClients, buckets[client] == nil {
                buckets = buckets.filter { $0.value.tokens + (now - $0.value.time) * rate < burst }
                // All are busy at once: a flood from many addresses. Whoever is new waits.
                guard buckets.count < Self.mostClients else { return 1 }
            }
            var bucket = buckets[client] ?? Bucket(tokens: burst, time: now)
            bucket.tokens = min(burst, bucket.tokens + (now - bucket.time) * rate)
            bucket.time = now
            defer { buckets[client] = bucket }
            // What costs more than a request (a wrong key) empties the bucket, but is answered while there is anything in it.
            guard bucket.tokens >= 1 else { return (1 - bucket.tokens) / rate }
            bucket.tokens = max(0, bucket.tokens - cost)
            return nil
        }
    }
}
