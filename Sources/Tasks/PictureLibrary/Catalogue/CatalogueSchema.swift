import Foundation
import GRDB

/// Tables of the catalogue. `content` is what a picture is (one row for equal bytes), `file` is where it lies;
/// vectors have the id of their content, so copies are embedded once and moves cost nothing.
enum CatalogueSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 contents and files") { database in
            try database.execute(sql: contents)
            try database.execute(sql: files)
            try database.execute(sql: text)
            try database.execute(sql: liveCounts)
        }
        migrator.registerMigration("2 identities and runs") { database in
            try database.execute(sql: identities)
            try database.execute(sql: runs)
        }
        migrator.registerMigration("3 text that was read") { database in
            try database.execute(sql: readText)
        }
        migrator.registerMigration("4 counts") { database in
            try database.execute(sql: counts)
        }
        return migrator
    }

    private static let contents = """
        CREATE TABLE content (
            id INTEGER PRIMARY KEY,
            hash BLOB NOT NULL UNIQUE,
            width INTEGER NOT NULL, height INTEGER NOT NULL, format TEXT NOT NULL,
            taken TEXT, make TEXT, model TEXT, latitude REAL, longitude REAL,
            title TEXT, description TEXT, tags TEXT NOT NULL DEFAULT '',
            files INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX content_dead ON content(id) WHERE files = 0;
        CREATE TABLE color (
            content_id INTEGER NOT NULL REFERENCES content(id) ON DELETE CASCADE,
            share REAL NOT NULL, l REAL NOT NULL, a REAL NOT NULL, b REAL NOT NULL, rgb INTEGER NOT NULL
        );
        CREATE INDEX color_content ON color(content_id);
        """

    private static let files = """
        CREATE TABLE file (
            id INTEGER PRIMARY KEY,
            path BLOB NOT NULL UNIQUE, folder BLOB NOT NULL, display TEXT NOT NULL, name TEXT NOT NULL,
            device INTEGER NOT NULL, inode INTEGER NOT NULL, modified INTEGER NOT NULL, size INTEGER NOT NULL,
            sidecar INTEGER NOT NULL DEFAULT 0,
            content_id INTEGER REFERENCES content(id),
            state TEXT NOT NULL CHECK (state IN ('indexed', 'failed', 'missing')),
            problem TEXT, reason TEXT, changed_at REAL NOT NULL,
            title TEXT, description TEXT, tags TEXT NOT NULL DEFAULT ''
        );
        CREATE INDEX file_folder ON file(folder);
        CREATE INDEX file_content ON file(content_id);
        CREATE INDEX file_trouble ON file(id) WHERE problem IS NOT NULL;
        CREATE INDEX file_missing ON file(id) WHERE state = 'missing';
        """

    /// `porter` over `unicode61` stems English; Chinese is split into characters before it gets here.
    private static let text = """
        CREATE VIRTUAL TABLE words USING fts5(
            title, description, tags, name, folder,
            tokenize = "porter unicode61 remove_diacritics 2"
        );
        """

    /// `content.files` counts files that can be shown, so a search needn't look at `file` to know whether any content is dead.
    private static let liveCounts = """
        CREATE TRIGGER file_added AFTER INSERT ON file WHEN new.state = 'indexed' AND new.content_id IS NOT NULL BEGIN
            UPDATE content SET files = files + 1 WHERE id = new.content_id;
        END;
        CREATE TRIGGER file_removed AFTER DELETE ON file WHEN old.state = 'indexed' AND old.content_id IS NOT NULL BEGIN
            UPDATE content SET files = files - 1 WHERE id = old.content_id;
        END;
        CREATE TRIGGER file_changed AFTER UPDATE OF state, content_id ON file BEGIN
            UPDATE content SET files = files - 1 WHERE id = old.content_id AND old.state = 'indexed';
            UPDATE content SET files = files + 1 WHERE id = new.content_id AND new.state = 'indexed';
        END;
        """

    /// `reading` says which pictures were read, with or without finding text; `line` holds what was found: corners as parts of the
    /// picture's sides, clockwise from the text's top left, and the text once more as it is looked up. Three characters and more are
    /// found through their trigrams.
    private static let readText = """
        CREATE TABLE reading (
            content_id INTEGER PRIMARY KEY REFERENCES content(id) ON DELETE CASCADE,
            reader TEXT NOT NULL, problem TEXT, time REAL NOT NULL
        );
        CREATE TABLE line (
            id INTEGER PRIMARY KEY,
            content_id INTEGER NOT NULL REFERENCES content(id) ON DELETE CASCADE,
            place INTEGER NOT NULL, text TEXT NOT NULL, folded TEXT NOT NULL, score REAL NOT NULL,
            x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL,
            x2 REAL NOT NULL, y2 REAL NOT NULL, x3 REAL NOT NULL, y3 REAL NOT NULL
        );
        CREATE INDEX line_content ON line(content_id);
        CREATE VIRTUAL TABLE line_text USING fts5(folded, content = 'line', content_rowid = 'id', tokenize = 'trigram');
        CREATE TRIGGER line_added AFTER INSERT ON line BEGIN
            INSERT INTO line_text (rowid, folded) VALUES (new.id, new.folded);
        END;
        CREATE TRIGGER line_removed AFTER DELETE ON line BEGIN
            INSERT INTO line_text (line_text, rowid, folded) VALUES ('delete', old.id, old.folded);
        END;
        """

    /// What is counted for filters to choose from, so that a million rows needn't be read for it.
    private static let counts = """
        CREATE INDEX file_shown ON file(folder, state) WHERE state = 'indexed';
        CREATE INDEX file_tags ON file(tags, state) WHERE state = 'indexed' AND tags != '';
        CREATE INDEX content_format ON content(format, files) WHERE files > 0;
        """

    private static let identities = """
        CREATE TABLE identity (
            id INTEGER PRIMARY KEY,
            digest TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
            dimension INTEGER NOT NULL, embeds_text INTEGER NOT NULL,
            folder TEXT NOT NULL UNIQUE, created_at REAL NOT NULL,
            vectors INTEGER NOT NULL DEFAULT 0,
            active INTEGER NOT NULL DEFAULT 0
        );
        CREATE UNIQUE INDEX identity_active ON identity(active) WHERE active = 1;
        CREATE TABLE vector (
            identity_id INTEGER NOT NULL REFERENCES identity(id) ON DELETE CASCADE,
            content_id INTEGER NOT NULL REFERENCES content(id) ON DELETE CASCADE,
            PRIMARY KEY (identity_id, content_id)
        ) WITHOUT ROWID;
        CREATE INDEX vector_content ON vector(content_id);
        CREATE TRIGGER vector_added AFTER INSERT ON vector BEGIN
            UPDATE identity SET vectors = vectors + 1 WHERE id = new.identity_id;
        END;
        CREATE TRIGGER vector_removed AFTER DELETE ON vector BEGIN
            UPDATE identity SET vectors = vectors - 1 WHERE id = old.identity_id;
        END;
        CREATE TABLE counter (name TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO counter VALUES ('content', 1);
        """

    private static let runs = """
        CREATE TABLE root (path BLOB PRIMARY KEY, device INTEGER NOT NULL, indexed_at REAL NOT NULL) WITHOUT ROWID;
        CREATE TABLE folder_problem (path BLOB PRIMARY KEY, display TEXT NOT NULL, problem TEXT NOT NULL, reason TEXT NOT NULL, time REAL NOT NULL)
            WITHOUT ROWID;
        CREATE TABLE run (
            id INTEGER PRIMARY KEY, identity_id INTEGER REFERENCES identity(id) ON DELETE SET NULL,
            started_at REAL NOT NULL, ended_at REAL, outcome TEXT NOT NULL DEFAULT 'running', summary TEXT
        );
        """
}
