import Testing
@Test func placeholderRuntimeHost() {}
