// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/normalized/variants.h"

#include "kernels/forest/variants.h"
#include "kernels/mlp/variants.h"
#include "kernels/normalized/columns.h"

#include <array>
#include <utility>

namespace weir::kernels {
namespace {

// Predicted cycles, fitted by eye to L2, the dearest norm, at batch 64 for 4 to 256 columns on a core of a Zen 5 server
// that builds ran beside.
struct Variant {
    Isa isa;
    NormalizeRows rows;  ///< nullptr: the reference
    double row;          ///< what a row costs beside its columns
    double block;        ///< 16 columns
};

constexpr std::array kVariants {
    Variant{Isa::scalar, nullptr, 15.0, 156.0},
#if defined(__x86_64__)
        Variant{Isa::avx2, normalize_rows_avx2, 30.0, 23.0},
        Variant{Isa::avx512, normalize_rows_avx512, 12.0, 16.0},
#endif
};

// The best up to `isa`; aarch64 has the reference.
const Variant& variant_for(Isa isa) noexcept {
    const Variant* best = &kVariants.front();
    for (const Variant& variant : kVariants) {
        if (variant.isa <= isa && isa != Isa::neon_dotprod) {
            best = &variant;
        }
    }
    return *best;
}

std::uint32_t blocks(std::uint32_t inputs) noexcept {
    return (inputs + kNormBlock - 1) / kNormBlock;
}

class NormalizedClassifier final : public Classifier {
  public:
    NormalizedClassifier(const NormalizedSpec& spec, std::unique_ptr<Classifier> network, Isa isa)
        : spec_{spec.norm, spec.columns, {}},
          columns_(spec),
          rows_(variant_for(isa).rows),
          network_(std::move(network)) {}

    [[nodiscard]] std::uint32_t inputs() const noexcept override { return columns_.inputs; }
    [[nodiscard]] std::uint32_t outputs() const noexcept override { return network_->outputs(); }
    [[nodiscard]] std::size_t scratch_bytes() const noexcept override {
        return codes_bytes() + network_->scratch_bytes();
    }
    [[nodiscard]] Isa isa() const noexcept override { return network_->isa(); }

    void score(
        const std::uint8_t* rows,
        std::size_t stride,
        std::uint32_t n,
        std::int32_t* out,
        std::byte* scratch) const noexcept override {
        auto* codes = reinterpret_cast<std::uint8_t*>(scratch);
        if (rows_ == nullptr) {
            normalize_rows(spec_, rows, stride, n, codes, columns_.padded);
        } else {
            rows_(columns_, rows, stride, n, codes, columns_.padded);
        }
        network_->score(codes, columns_.padded, n, out, scratch + codes_bytes());
    }

  private:
    // Whole cache lines, so that the network's scratch is aligned.
    [[nodiscard]] std::size_t codes_bytes() const noexcept {
        return std::size_t{kMaxRows} * columns_.padded;
    }

    NormalizedSpec spec_;  ///< without its network
    NormColumns columns_;
    NormalizeRows rows_;
    std::unique_ptr<Classifier> network_;
};

static_assert(kMaxRows % 64 == 0);

}  // namespace

NormColumns::NormColumns(const NormalizedSpec& spec)
    : norm(spec.norm),
      inputs(spec.inputs()),
      padded(blocks(spec.inputs()) * kNormBlock),
      scale(padded),
      offset(padded),
      gain(padded),
      zero(padded) {
    for (std::size_t k = 0; k < spec.columns.size(); ++k) {
        const NormColumn& column = spec.columns[k];
        scale[k] = column.scale;
        offset[k] = column.offset;
        gain[k] = column.gain_q8 / 256.0;
        zero[k] = column.zero;
    }
}

std::span<const Isa> normalized_isas(const NormalizedSpec& spec) noexcept {
    return std::holds_alternative<ForestSpec>(spec.network) ? forest_isas() : mlp_isas();
}

std::unique_ptr<Classifier> make_normalized_classifier(const NormalizedSpec& spec, Isa isa) {
    const auto* forest = std::get_if<ForestSpec>(&spec.network);
    auto network = forest != nullptr ? make_forest_classifier(*forest, isa)
                                     : make_mlp_classifier(std::get<MlpSpec>(spec.network), isa);
    if (network == nullptr) {
        return nullptr;
    }
    return std::make_unique<NormalizedClassifier>(spec, std::move(network), isa);
}

double normalized_cycles_per_row(const NormalizedSpec& spec, Isa isa) noexcept {
    const Variant& variant = variant_for(isa);
    const auto* forest = std::get_if<ForestSpec>(&spec.network);
    return variant.row + variant.block * blocks(spec.inputs()) +
           (forest != nullptr ? forest_cycles_per_row(*forest, isa)
                              : mlp_cycles_per_row(std::get<MlpSpec>(spec.network), isa));
}

}  // namespace weir::kernels
