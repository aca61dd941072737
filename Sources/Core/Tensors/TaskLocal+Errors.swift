extension TaskLocal {
    /// `withValue` with the type of the error, which that loses.
    func keepingErrors<Result, Failure: Error>(_ value: Value, _ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        let outcome = withValue(value) { () -> Swift.Result<Result, Failure> in
            do throws(Failure) { return .success(try body()) } catch { return .failure(error) }
        }
        return try outcome.get()
    }
}
