import Testing
@Test func placeholderIngress() {}
