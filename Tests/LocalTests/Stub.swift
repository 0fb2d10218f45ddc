import Testing
@Test func placeholderLocal() {}
