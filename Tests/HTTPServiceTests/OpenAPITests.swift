import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@testable import HTTPService

@Suite struct OpenAPITests {
    @Test func everyRouteIsDescribedAndEveryReferenceLeadsSomewhere() async throws {
        let fixture = try await ServiceFixture(pictures: 0)
        let service = try fixture.service()
        try await fixture.test { client in
            let document = try await client.json("/openapi.json")
            #expect(document["openapi"] as? String == "3.1.0")
            let paths = try #require(document["paths"] as? [String: [String: [String: Any]]])
            #expect(paths.values.map(\.count).reduce(0, +) == service.routes.count)
            var names: Set<String> = []
            for route in service.routes {
                let operation = try #require(paths[route.path]?[route.method.rawValue.lowercased()], "\(route.path)")
                #expect(names.insert(try #require(operation["operationId"] as? String)).inserted)
                let parameters = operation["parameters"] as? [[String: Any]] ?? []
                let inPath = Set(parameters.filter { $0["in"] as? String == "path" }.compactMap { $0["name"] as? String })
                let wanted = Set(route.path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) })
                #expect(inPath == wanted, "\(route.path)")
                #expect((operation["responses"] as? [String: Any])?[String(route.status.code)] != nil)
                #expect((operation["security"] != nil) == (route.scope != nil))
            }
            let schemas = try #require((document["components"] as? [String: Any])?["schemas"] as? [String: Any])
            for reference in references(document) {
                #expect(schemas[String(reference.dropFirst("#/components/schemas/".count))] != nil, "\(reference)")
            }
            #expect(schemas["Error"] != nil && references(document).contains("#/components/schemas/Hits"))
        }
    }

    private func references(_ value: Any) -> Set<String> {
        switch value {
        case let object as [String: Any]:
            object.reduce(into: []) { found, member in
                if member.key == "$ref", let name = member.value as? String {
                    found.insert(name)
                } else {
                    found.formUnion(references(member.value))
                }
            }
        case let list as [Any]: list.reduce(into: []) { $0.formUnion(references($1)) }
        default: []
        }
    }

    /// What a route reads from a JSON body is what is described.
    @Test func describedFieldsAreThoseThatAreRead() {
        #expect(
            SearchRequest.schema.fieldNames == [
                "q", "terms", "where", "color", "in", "limit", "min_score", "weights", "text_weight", "cutoff",
            ])
        #expect(Set(SearchRequest.parameterNames).isSubset(of: Set(SearchRequest.schema.fieldNames + ["picture", "region"])))
    }
}
