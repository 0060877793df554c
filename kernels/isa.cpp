// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/isa.h"

#include <algorithm>
#include <array>
#include <cstddef>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace weir::kernels {
namespace {

struct IsaEntry {
    Isa isa;
    std::string_view name;
};

constexpr std::array kIsas{
    IsaEntry{Isa::scalar, "scalar"},
    IsaEntry{Isa::avx2, "avx2"},
    IsaEntry{Isa::avx512, "avx512"},
    IsaEntry{Isa::avx512_vnni, "avx512_vnni"},
    IsaEntry{Isa::avx512_gfni, "avx512_gfni"},
    IsaEntry{Isa::neon_dotprod, "neon_dotprod"},
};

#if defined(__x86_64__)

// __builtin_cpu_supports also asks XGETBV, so a kernel that does not save the wide registers counts as "no".
bool cpu_has(Isa isa) noexcept {
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") != 0;
    const bool avx512 =
        __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
        __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
    const bool vnni = avx512 && __builtin_cpu_supports("avx512vnni") != 0;
    switch (isa) {
        case Isa::scalar:
            return true;
        case Isa::avx2:
            return avx2;
        case Isa::avx512:
            return avx512;
        case Isa::avx512_vnni:
            return vnni;
        case Isa::avx512_gfni:
            return vnni && __builtin_cpu_supports("gfni") != 0 &&
                   __builtin_cpu_supports("avx512vbmi") != 0;
        case Isa::neon_dotprod:
            return false;
    }
    return false;
}

#elif defined(__aarch64__)

bool cpu_has(Isa isa) noexcept {
    constexpr unsigned long kHwcapAsimdDp = 1UL << 20;  // <asm/hwcap.h>
    switch (isa) {
        case Isa::scalar:
            return true;
        case Isa::neon_dotprod:
            return (getauxval(AT_HWCAP) & kHwcapAsimdDp) != 0;
        default:
            return false;
    }
}

#else

bool cpu_has(Isa isa) noexcept {
    return isa == Isa::scalar;
}

#endif

struct Supported {
    std::array<Isa, kIsas.size()> list{};
    std::size_t count = 0;
};

const Supported& supported() noexcept {
    static const Supported kSupported = [] {
        Supported found;
        for (const IsaEntry& entry : kIsas) {
            if (cpu_has(entry.isa)) {
                found.list[found.count++] = entry.isa;
            }
        }
        return found;
    }();
    return kSupported;
}

}  // namespace

std::string_view isa_name(Isa isa) noexcept {
    const auto* found = std::find_if(
        kIsas.begin(), kIsas.end(), [isa](const IsaEntry& entry) { return entry.isa == isa; });
    return found == kIsas.end() ? "unknown" : found->name;
}

std::optional<Isa> isa_from_name(std::string_view name) noexcept {
    const auto* found = std::find_if(
        kIsas.begin(), kIsas.end(), [name](const IsaEntry& entry) { return entry.name == name; });
    return found == kIsas.end() ? std::nullopt : std::optional(found->isa);
}

bool isa_supported(Isa isa) noexcept {
    const auto all = supported_isas();
    return std::find(all.begin(), all.end(), isa) != all.end();
}

std::span<const Isa> supported_isas() noexcept {
    const Supported& found = supported();
    return {found.list.data(), found.count};
}

}  // namespace weir::kernels
