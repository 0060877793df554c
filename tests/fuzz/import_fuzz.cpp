// SPDX-License-Identifier: BSD-3-Clause
// Models from anyone to weirlab import, ONNX and XGBoost's JSON and UBJSON: never a crash, a refusal that says why, and
// what is accepted becomes a bundle that a gateway takes.
#include "control/lab/import.h"
#include "dataplane/features/catalog.h"
#include "kernels/model/build.h"
#include "tests/fuzz/require.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace {

using weir::fuzz::require;
constexpr std::size_t kMaxInputBytes = std::size_t{1} << 16;

// As many columns and classes as the model has, so that it gets as far as it can.
weir::lab::ImportOptions options(std::size_t inputs, std::size_t classes) {
    weir::lab::ImportOptions out;
    out.slot = "fuzz";
    out.name = "fuzz";
    out.created_unix = 1;
    for (std::size_t i = 0; i < inputs; ++i) {
        out.features.emplace_back(weir::dataplane::catalog()[i].name);
    }
    for (std::size_t c = 0; c < classes; ++c) {
        out.classes.push_back("class" + std::to_string(c));
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(
        reinterpret_cast<const char*>(data), std::min(size, kMaxInputBytes));
    for (const std::size_t inputs : {std::size_t{8}, std::size_t{2}}) {
        for (const std::size_t classes : {std::size_t{3}, std::size_t{2}}) {
            const auto chosen = options(inputs, classes);
            const auto model = weir::lab::parse_model(bytes, chosen);
            if (!model) {
                require(!model.error().what.empty());
                for (const char c : model.error().field) {
                    require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
                }
                continue;
            }
            std::vector<double> logits(classes);
            const std::vector<std::uint8_t> row(inputs, 77);
            weir::lab::float_logits(*model, row.data(), logits.data());
            const auto imported = weir::lab::import_model(*model, chosen, row);
            if (imported) {
                require(weir::kernels::build_bundle(imported->bundle, nullptr).has_value());
            } else {
                require(!imported.error().what.empty());
            }
        }
    }
    return 0;
}
