// SPDX-License-Identifier: BSD-3-Clause
// Writes the seeds of the bundle fuzzer anew: bundle_seeds FOLDER. Needed only when the format changes.
#include "kernels/model/envelope.h"
#include "kernels/model/file.h"
#include "tests/unit/kernels/model_fixtures.h"

#include <cstdio>
#include <string>
#include <utility>

namespace {

using namespace weir::kernels;

bool save(const std::string& path, std::span<const std::byte> bytes) {
    const auto saved = save_bundle_file(path, bytes);
    if (!saved) {
        (void)std::fprintf(stderr, "%s\n", saved.error().line().c_str());
    }
    return saved.has_value();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        (void)std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    const std::string folder = std::string(argv[1]) + '/';
    bool ok = true;
    for (const auto& [name, bundle] :
         {std::pair{"tiny", test::tiny_bundle()},
          std::pair{"mlp", test::mlp_bundle()},
          std::pair{"forest", test::forest_bundle()},
          std::pair{"linear", test::linear_bundle()},
          std::pair{"autoencoder", test::autoencoder_bundle()},
          std::pair{"sequence", test::sequence_bundle()},
          std::pair{"normalized", test::normalized_bundle()},
          std::pair{"normalized_forest", test::normalized_forest_bundle()},
          std::pair{"wide", test::wide_bundle()},
          std::pair{"floats", test::float_bundle()}}) {
        const Bytes file = test::signed_bytes(bundle);
        const std::string payload = test::payload_of(file);
        ok = ok && save(folder + name + ".weir", file) &&
             save(folder + name + ".payload", std::as_bytes(std::span(payload)));
    }
    return ok ? 0 : 1;
}
