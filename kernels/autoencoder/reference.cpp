// SPDX-License-Identifier: BSD-3-Clause
// The definition of an autoencoder's answer: plain scalar code, compiled without the vectorizer.
#include "kernels/mlp/reference.h"

#include "kernels/autoencoder/variants.h"

#include <array>

namespace weir::kernels {
namespace {

using Codes = std::array<std::uint8_t, kMlpMaxWidth>;

class Reconstruction {
  public:
    Reconstruction(const Reconstruction&) = delete;
    Reconstruction& operator=(const Reconstruction&) = delete;
    Reconstruction(const AutoencoderSpec& spec, const std::uint8_t* row)
        : spec_(spec), row_(row), last_(row) {
        for (std::size_t i = 0; i < spec.layers.size(); ++i) {
            std::uint8_t* const y = codes_[i % 2].data();
            reference_hidden(spec.layers[i], last_, y);
            last_ = y;
        }
    }

    [[nodiscard]] std::uint32_t error(std::uint32_t k) const noexcept {
        const int off = row_[k] - last_[k];
        return static_cast<std::uint32_t>(off * off) * spec_.weights[k];
    }

  private:
    const AutoencoderSpec& spec_;
    const std::uint8_t* row_;
    std::array<Codes, 2> codes_;  // of layers in turn
    const std::uint8_t* last_;
};

class ReferenceAutoencoder final : public Classifier {
  public:
    explicit ReferenceAutoencoder(const AutoencoderSpec& spec) : spec_(spec) {}

    std::uint32_t inputs() const noexcept override { return spec_.inputs(); }
    std::uint32_t outputs() const noexcept override { return AutoencoderSpec::outputs(); }
    std::size_t scratch_bytes() const noexcept override { return 0; }
    Isa isa() const noexcept override { return Isa::scalar; }

    void score(
        const std::uint8_t* rows,
        std::size_t stride,
        std::uint32_t n,
        std::int32_t* out,
        std::byte* /*scratch*/) const noexcept override {
        for (std::uint32_t r = 0; r < n; ++r) {
            const Reconstruction reconstruction(spec_, rows + r * stride);
            std::uint64_t sum = 0;
            for (std::uint32_t k = 0; k < spec_.inputs(); ++k) {
                sum += reconstruction.error(k);
            }
            out[r] = static_cast<std::int32_t>(sum >> spec_.shift) - spec_.offset;
        }
    }

  private:
    AutoencoderSpec spec_;
};

}  // namespace

std::unique_ptr<Classifier> make_autoencoder_reference(const AutoencoderSpec& spec) {
    return std::make_unique<ReferenceAutoencoder>(spec);
}

void reconstruction_errors(
    const AutoencoderSpec& spec,
    const std::uint8_t* rows,
    std::size_t stride,
    std::uint32_t n,
    std::uint32_t* out) noexcept {
    const std::uint32_t inputs = spec.inputs();
    for (std::uint32_t r = 0; r < n; ++r) {
        const Reconstruction reconstruction(spec, rows + r * stride);
        for (std::uint32_t k = 0; k < inputs; ++k) {
            out[std::size_t{r} * inputs + k] = reconstruction.error(k);
        }
    }
}

}  // namespace weir::kernels
