/// Groups of pictures as JSON objects: the command line and the service give the same.
extension JSONLine {
    public init(_ entry: PictureEntry) {
        self.init()
        add("id", Int(entry.id))
        add("path", entry.path)
        add("title", entry.title)
        add("width", entry.width)
        add("height", entry.height)
        add("format", entry.format)
    }

    public init(_ group: DuplicateGroup) {
        self.init()
        add("count", group.members.count)
        add(
            "pictures",
            group.members.map { member in
                var line = JSONLine(member.picture)
                line.add("size", Int(member.size))
                line.add("similarity", member.similarity)
                return line
            })
    }

    /// - Parameters:
    ///   - number: Its place among the clusters, from 1.
    ///   - most: Pictures that are told.
    public init(_ cluster: PictureCluster, number: Int, most: Int) {
        self.init()
        add("cluster", number)
        add("words", cluster.words)
        add("count", cluster.pictures.count)
        add("pictures", cluster.pictures.prefix(most).map { JSONLine($0) })
    }
}
