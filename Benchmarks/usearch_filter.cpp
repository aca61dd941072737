// usearch's search with a predicate, which its Python package lacks, as a library for ctypes: an index that Python saved, and a bit
// for each id that may be found. Built by million_search.py from the headers that usearch publishes.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>
#include <usearch/index_dense.hpp>

using namespace unum::usearch;

extern "C" {

// NULL where the file can't be read.
index_dense_t *filter_open(char const *path, std::size_t threads) {
    auto made = index_dense_t::make(path);
    if (!made) return nullptr;
    auto index = std::make_unique<index_dense_t>(std::move(made.index));
    return index->try_reserve(index_limits_t(index->size(), threads)) ? index.release() : nullptr;
}

// The ids of the best `wanted` of each query, -1 where there are fewer; false where a search failed.
bool filter_search(index_dense_t *index, float const *queries, std::size_t count, std::size_t dimension, std::size_t wanted,
                   std::size_t expansion, std::uint8_t const *bits, std::size_t ids, std::int64_t *found, std::size_t threads) {
    index->change_expansion_search(expansion);
    std::atomic<bool> fine{true};
    auto part = [&](std::size_t thread) {
        auto passes = [=](index_dense_t::vector_key_t key) { return key < ids && (bits[key / 8] >> (key % 8) & 1); };
        for (std::size_t i = count * thread / threads; i != count * (thread + 1) / threads; ++i) {
            auto result = index->filtered_search(queries + i * dimension, wanted, passes, thread);
            if (!result) return fine.store(false);
            for (std::size_t j = 0; j != wanted; ++j) found[i * wanted + j] = j < result.size() ? std::int64_t(result[j].member.key) : -1;
        }
    };
    std::vector<std::thread> others;
    for (std::size_t thread = 1; thread < threads; ++thread) others.emplace_back(part, thread);
    part(0);
    for (auto &other : others) other.join();
    return fine;
}
}
