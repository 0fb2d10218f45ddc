import Testing
@Test func placeholderAppServer() {}
