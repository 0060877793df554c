// SPDX-License-Identifier: BSD-3-Clause
// Scoring: cuts a call into batches, runs each layer by oneDNN, and does between layers what must be exact.
#include "kernels/onednn/program.h"
#include "kernels/onednn/requantize.h"
#include "kernels/onednn/variants.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <thread>

namespace weir::kernels {
namespace {

constexpr std::size_t kSlots = 64;  // threads that can score at once without waiting
constexpr std::size_t kLine = 64;
constexpr float kMaxRaw = 0x1p30F;

std::size_t padded(std::size_t bytes) {
    return (bytes + kLine - 1) / kLine * kLine;
}

// vpdpbusd exists both as AVX-512 and as AVX instruction; oneDNN names the two so.
bool sums_exactly() noexcept {
    const unsigned isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
    const auto has = [isa](dnnl::cpu_isa wanted) {
        return (isa & static_cast<unsigned>(wanted)) == static_cast<unsigned>(wanted);
    };
    return has(dnnl::cpu_isa::avx512_core_vnni);
}

bool uses_avx512() noexcept {
    constexpr auto kAvx512 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
    return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & kAvx512) == kAvx512;
}

/// The memory objects of one call; taken and given back without a lock.
struct Slot {
    explicit Slot(const OnednnProgram& program) : objects(program) {}
    OnednnSlot objects;
    std::atomic<bool> taken{false};
};

/// A free slot for as long as it lives: the one this thread had last, if it can be had.
class Lease {
  public:
    explicit Lease(std::span<const std::unique_ptr<Slot>> slots) noexcept {
        thread_local std::size_t last = std::hash<std::thread::id>()(std::this_thread::get_id());
        for (;; ++last) {
            slot_ = slots[last % slots.size()].get();
            if (!slot_->taken.exchange(true, std::memory_order_acquire)) {
                return;
            }
        }
    }
    ~Lease() { slot_->taken.store(false, std::memory_order_release); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    [[nodiscard]] OnednnSlot& operator*() const noexcept { return slot_->objects; }

  private:
    Slot* slot_ = nullptr;
};

/// Buffers of a call within the caller's scratch.
struct Buffers {
    std::byte* x;           // a layer's input rows
    std::byte* y;           // its output rows
    std::byte* scratchpad;  // oneDNN's own
};

class OnednnClassifier final : public Classifier {
  public:
    OnednnClassifier(const OnednnSpec& spec, Isa isa)
        : spec_(spec),
          isa_(isa),
          program_(build_onednn_program(spec)),
          reference_(make_onednn_reference(spec)) {
        for (std::unique_ptr<Slot>& slot : slots_) {
            slot = std::make_unique<Slot>(program_);
        }
        values_ = std::size_t{program_.batches.back().rows} * program_.widest;
    }

    [[nodiscard]] std::uint32_t inputs() const noexcept override { return spec_.inputs(); }
    [[nodiscard]] std::uint32_t outputs() const noexcept override { return spec_.outputs(); }
    [[nodiscard]] Isa isa() const noexcept override { return isa_; }
    [[nodiscard]] std::size_t scratch_bytes() const noexcept override {
        return std::max(
            2 * padded(values_ * sizeof(float)) + padded(program_.scratchpad_bytes),
            reference_->scratch_bytes());
    }

    void score(
        const std::uint8_t* rows,
        std::size_t stride,
        std::uint32_t n,
        std::int32_t* out,
        std::byte* scratch) const noexcept override {
        if (n == 0) {
            return;
        }
        const OneThread alone;
        const Lease lease(slots_);
        const std::size_t each = padded(values_ * sizeof(float));
        const Buffers buffers{scratch, scratch + each, scratch + 2 * each};
        for (std::uint32_t r = 0; r < n;) {
            const std::size_t batch = batch_for(n - r);
            const std::uint32_t count = std::min(n - r, program_.batches[batch].rows);
            const std::uint8_t* const from = rows + r * stride;
            std::int32_t* const to = out + std::size_t{r} * outputs();
            if (!run(*lease, batch, {from, stride, count}, buffers, to)) {
                // oneDNN failed, for want of memory at most: slow, but the answer is the same.
                reference_->score(from, stride, count, to, scratch);
            }
            r += count;
        }
    }

  private:
    struct Rows {
        const std::uint8_t* first;
        std::size_t stride;
        std::uint32_t count;
    };

    // The largest size that is filled, or one that is more than half so: rows too few for it are zeros.
    [[nodiscard]] std::size_t batch_for(std::uint32_t rows) const noexcept {
        std::size_t best = 0;
        for (std::size_t i = 1; i < program_.batches.size(); ++i) {
            const std::uint32_t size = program_.batches[i].rows;
            if (2 * rows > size || (i == 1 && rows > 1)) {
                best = i;
            }
        }
        return best;
    }

    [[nodiscard]] bool run(
        OnednnSlot& slot,
        std::size_t batch,
        const Rows& rows,
        const Buffers& buffers,
        std::int32_t* out) const noexcept {
        if (const auto* int8 = std::get_if<OnednnInt8>(&spec_.network)) {
            return run_int8(*int8, slot, batch, rows, buffers, out);
        }
        const auto* f32 = std::get_if<OnednnF32>(&spec_.network);
        return f32 != nullptr && run_f32(*f32, slot, batch, rows, buffers, out);
    }

    [[nodiscard]] bool run_int8(
        const OnednnInt8& net,
        OnednnSlot& slot,
        std::size_t batch,
        const Rows& rows,
        const Buffers& buffers,
        std::int32_t* out) const noexcept {
        auto* const x = reinterpret_cast<std::uint8_t*>(buffers.x);
        auto* const sums = reinterpret_cast<std::int32_t*>(buffers.y);
        const std::size_t width = inputs();
        for (std::uint32_t r = 0; r < rows.count; ++r) {
            std::memcpy(x + r * width, rows.first + r * rows.stride, width);
        }
        const std::uint32_t size = program_.batches[batch].rows;
        std::memset(x + rows.count * width, 0, (size - rows.count) * width);
        for (std::size_t i = 0; i < net.layers.size(); ++i) {
            if (!slot.run(batch, i, x, sums, buffers.scratchpad)) {
                return false;
            }
            if (i + 1 < net.layers.size()) {
                requantize_hidden(net.layers[i], sums, size, x);
            }
        }
        requantize_output(net.layers.back(), sums, rows.count, out);
        return true;
    }

    [[nodiscard]] bool run_f32(
        const OnednnF32& net,
        OnednnSlot& slot,
        std::size_t batch,
        const Rows& rows,
        const Buffers& buffers,
        std::int32_t* out) const noexcept {
        auto* x = reinterpret_cast<float*>(buffers.x);
        auto* y = reinterpret_cast<float*>(buffers.y);
        const std::size_t width = inputs();
        for (std::uint32_t r = 0; r < rows.count; ++r) {
            std::copy_n(rows.first + r * rows.stride, width, x + r * width);
        }
        const std::uint32_t size = program_.batches[batch].rows;
        std::fill_n(x + rows.count * width, (size - rows.count) * width, 0.0F);
        for (std::size_t i = 0; i < net.layers.size(); ++i) {
            if (!slot.run(batch, i, x, y, buffers.scratchpad)) {
                return false;
            }
            std::swap(x, y);
        }
        for (std::size_t i = 0; i < std::size_t{rows.count} * outputs(); ++i) {
            const float scaled_up = std::clamp(x[i] * net.raw_scale, -kMaxRaw, kMaxRaw);
            out[i] = static_cast<std::int32_t>(std::nearbyint(scaled_up));
        }
        return true;
    }

    OnednnSpec spec_;
    Isa isa_;
    OnednnProgram program_;
    std::unique_ptr<Classifier> reference_;
    std::array<std::unique_ptr<Slot>, kSlots> slots_;
    std::size_t values_ = 0;  // of the largest batch's widest layer
};

constexpr std::array kInt8Exact{Isa::scalar, Isa::avx512_vnni};
constexpr std::array kF32Avx2{Isa::scalar, Isa::avx2};
constexpr std::array kF32Avx512{Isa::scalar, Isa::avx512};
constexpr std::array kScalarOnly{Isa::scalar};

}  // namespace

std::span<const Isa> onednn_isas(const OnednnSpec& spec) noexcept {
    if (std::holds_alternative<OnednnInt8>(spec.network)) {
        return sums_exactly() ? std::span<const Isa>(kInt8Exact) : kScalarOnly;
    }
    if (!isa_supported(Isa::avx2)) {
        return kScalarOnly;
    }
    return uses_avx512() ? std::span<const Isa>(kF32Avx512) : kF32Avx2;
}

Result<std::unique_ptr<Classifier>> make_onednn_classifier(const OnednnSpec& spec, Isa isa) {
    const auto isas = onednn_isas(spec);
    if (std::find(isas.begin(), isas.end(), isa) == isas.end()) {
        return fail(
            "",
            "isa",
            "oneDNN cannot run this network with '" + std::string(isa_name(isa)) +
                "' on this machine",
            "use " + std::string(isa_name(isas.back())));
    }
    if (isa == Isa::scalar) {
        return make_onednn_reference(spec);
    }
    try {
        return std::make_unique<OnednnClassifier>(spec, isa);
    } catch (const dnnl::error& error) {
        return fail("", "onednn", std::string("oneDNN refuses: ") + error.what(), "use scalar");
    } catch (const std::bad_alloc&) {
        return fail("", "onednn", "not enough memory", "use a smaller network");
    }
}

}  // namespace weir::kernels
