// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/classifier.h"

#include "kernels/autoencoder/variants.h"
#include "kernels/forest/variants.h"
#include "kernels/linear/variants.h"
#include "kernels/mlp/variants.h"
#include "kernels/normalized/variants.h"
#include "kernels/onednn/variants.h"
#include "kernels/sequence/variants.h"

#include <algorithm>
#include <string>

namespace weir::kernels {
namespace {

// What classifier.cpp needs of a family; one overload a member of Network.
std::span<const Isa> family_isas(const MlpSpec&) noexcept {
    return mlp_isas();
}
std::span<const Isa> family_isas(const ForestSpec&) noexcept {
    return forest_isas();
}
std::span<const Isa> family_isas(const LinearSpec&) noexcept {
    return linear_isas();
}
std::span<const Isa> family_isas(const AutoencoderSpec&) noexcept {
    return autoencoder_isas();
}
std::span<const Isa> family_isas(const SequenceSpec&) noexcept {
    return sequence_isas();
}
std::span<const Isa> family_isas(const OnednnSpec& spec) noexcept {
    return onednn_isas(spec);
}
std::span<const Isa> family_isas(const NormalizedSpec& spec) noexcept {
    return normalized_isas(spec);
}

std::unique_ptr<Classifier> make_family(const MlpSpec& spec, Isa isa) {
    return make_mlp_classifier(spec, isa);
}
std::unique_ptr<Classifier> make_family(const ForestSpec& spec, Isa isa) {
    return make_forest_classifier(spec, isa);
}
std::unique_ptr<Classifier> make_family(const LinearSpec& spec, Isa isa) {
    return make_linear_classifier(spec, isa);
}
std::unique_ptr<Classifier> make_family(const AutoencoderSpec& spec, Isa isa) {
    return make_autoencoder_classifier(spec, isa);
}
std::unique_ptr<Classifier> make_family(const SequenceSpec& spec, Isa isa) {
    return make_sequence_classifier(spec, isa);
}
Result<std::unique_ptr<Classifier>> make_family(const OnednnSpec& spec, Isa isa) {
    return make_onednn_classifier(spec, isa);
}
std::unique_ptr<Classifier> make_family(const NormalizedSpec& spec, Isa isa) {
    return make_normalized_classifier(spec, isa);
}

double family_cycles(const MlpSpec& spec, Isa isa) noexcept {
    return mlp_cycles_per_row(spec, isa);
}
double family_cycles(const ForestSpec& spec, Isa isa) noexcept {
    return forest_cycles_per_row(spec, isa);
}
double family_cycles(const LinearSpec& spec, Isa isa) noexcept {
    return linear_cycles_per_row(spec, isa);
}
double family_cycles(const AutoencoderSpec& spec, Isa isa) noexcept {
    return autoencoder_cycles_per_row(spec, isa);
}
double family_cycles(const SequenceSpec& spec, Isa isa) noexcept {
    return sequence_cycles_per_row(spec, isa);
}
double family_cycles(const OnednnSpec& spec, Isa isa) noexcept {
    return onednn_cycles_per_row(spec, isa);
}
double family_cycles(const NormalizedSpec& spec, Isa isa) noexcept {
    return normalized_cycles_per_row(spec, isa);
}

std::string names(std::span<const Isa> isas) {
    std::string out;
    for (const Isa isa : isas) {
        if (isa_supported(isa)) {
            out += (out.empty() ? "" : ", ") + std::string(isa_name(isa));
        }
    }
    return out;
}

// The best variant that the family has and the machine runs, or exactly the one asked for.
Result<Isa> choose(std::span<const Isa> family, std::optional<Isa> wanted) {
    const auto runs = [&](Isa isa) {
        return isa_supported(isa) && std::find(family.begin(), family.end(), isa) != family.end();
    };
    if (!wanted) {
        const auto best = std::find_if(family.rbegin(), family.rend(), isa_supported);
        return best == family.rend() ? Isa::scalar : *best;
    }
    if (runs(*wanted)) {
        return *wanted;
    }
    const char* why = isa_supported(*wanted) ? "' is not among this model family's variants"
                                             : "' cannot run on this machine";
    return fail(
        "",
        "isa",
        "variant '" + std::string(isa_name(*wanted)) + why,
        "use one of: " + names(family));
}

}  // namespace

Result<std::unique_ptr<Classifier>> make_classifier(
    const Network& network, std::optional<Isa> isa) {
    return std::visit(
        [&](const auto& spec) -> Result<std::unique_ptr<Classifier>> {
            if (auto valid = validate(spec); !valid) {
                return tl::unexpected(valid.error());
            }
            return choose(family_isas(spec), isa)
                .and_then([&](Isa chosen) -> Result<std::unique_ptr<Classifier>> {
                    return make_family(spec, chosen);
                });
        },
        network);
}

double predicted_cycles_per_row(const Network& network, Isa isa) noexcept {
    return std::visit([isa](const auto& spec) { return family_cycles(spec, isa); }, network);
}

}  // namespace weir::kernels
