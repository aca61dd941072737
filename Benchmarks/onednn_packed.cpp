// A layer's product by the oneDNN that the system has (Debian: libdnnl-dev), its weights packed once, for kernels_peer.py.
#include <dnnl.hpp>
#include <unordered_map>

namespace {
struct Product {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    dnnl::memory left, weight, out;
    dnnl::matmul matmul;
};
}

extern "C" {

// left: [m][k], weight: [n][k], out: [m][n]; left and out must stay where they are.
void *product_make(long m, long k, long n, float *left, float *weight, float *out) {
    using namespace dnnl;
    auto *product = new Product;
    auto kind = memory::data_type::f32;
    memory::desc left_form({m, k}, kind, memory::format_tag::ab), given_form({k, n}, kind, memory::format_tag::ba);
    memory::desc any_form({k, n}, kind, memory::format_tag::any), out_form({m, n}, kind, memory::format_tag::ab);
    matmul::primitive_desc chosen(matmul::desc(left_form, any_form, out_form), product->engine);
    product->left = memory(left_form, product->engine, left);
    product->out = memory(out_form, product->engine, out);
    product->weight = memory(chosen.weights_desc(), product->engine);
    memory given(given_form, product->engine, weight);
    reorder(given, product->weight).execute(product->stream, given, product->weight);
    product->stream.wait();
    product->matmul = matmul(chosen);
    return product;
}

void product_run(void *made) {
    auto *product = static_cast<Product *>(made);
    product->matmul.execute(product->stream, {{DNNL_ARG_SRC, product->left}, {DNNL_ARG_WEIGHTS, product->weight}, {DNNL_ARG_DST, product->out}});
    product->stream.wait();
}

void product_free(void *made) { delete static_cast<Product *>(made); }

const dnnl_version_t *product_version() { return dnnl_version(); }
}
