@main struct ArgusCommand { static func main() { print("argus") } }
