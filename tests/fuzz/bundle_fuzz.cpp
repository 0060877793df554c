// SPDX-License-Identifier: BSD-3-Clause
// Bundle bytes from anyone: never a crash, a refusal that says why, and what is accepted is sound and stable.
// The input is tried as a whole file, and as the payload of a file that a trusted key signed (or no mutation would
// ever get past the signature).
#include "kernels/model/check.h"
#include "kernels/model/envelope.h"
#include "kernels/model/verify.h"
#include "tests/fuzz/require.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using weir::fuzz::require;
using weir::kernels::Bundle;
using weir::kernels::Bytes;

constexpr std::size_t kMaxInputBytes = std::size_t{1} << 16;

void check_refusal(const weir::Error& error) {
    require(error.where == "fuzz" && !error.what.empty());
    for (const char c : error.line()) {
        require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    }
}

const weir::kernels::SecretKey& key() {
    static const weir::kernels::SecretKey kKey =
        weir::kernels::key_from_seed(std::array<std::uint8_t, 32>{});
    return kKey;
}

// Forests of this size score 1024 golden vectors in a moment; larger ones only slow the fuzzer.
bool quick(const Bundle& bundle) {
    return weir::kernels::predicted_cycles_per_row(bundle.network, weir::kernels::Isa::scalar) <
           1e6;
}

// What a bundle must be worth once all checks of its contents passed.
void check_sound(const Bundle& bundle) {
    require(bundle.classes.size() >= 2 && bundle.classes.size() <= 64);
    require(bundle.benign_class() < static_cast<int>(bundle.classes.size()));
    require(bundle.thresholds.empty() || bundle.thresholds.size() == bundle.classes.size());
    for (const double t : bundle.thresholds) {
        require(t >= 0.0 && t <= 1.0);
    }
    require(weir::kernels::network_inputs(bundle.network) == bundle.inputs.size());
    const auto once = weir::kernels::serialize_bundle(bundle);
    require(once.has_value());
    const auto again = weir::kernels::parse_bundle(*once, "fuzz");
    require(again.has_value());
    const auto twice = weir::kernels::serialize_bundle(*again);
    require(twice.has_value() && *twice == *once);
}

void fuzz_file(std::span<const std::byte> file) {
    const auto parsed = weir::kernels::parse_bundle(file, "fuzz");
    if (!parsed) {
        check_refusal(parsed.error());
        return;
    }
    const auto once = weir::kernels::serialize_bundle(*parsed);
    require(once.has_value());
}

void fuzz_payload(std::string_view payload) {
    const auto parsed = weir::kernels::parse_payload(payload, "fuzz");
    if (parsed && !weir::kernels::check_shapes(*parsed, "fuzz")) {
        check_refusal(weir::kernels::check_shapes(*parsed, "fuzz").error());
        return;
    }
    if (parsed && !quick(*parsed)) {
        return;
    }
    weir::kernels::Envelope envelope{std::string(payload), {}};
    require(weir::kernels::sign_envelope(envelope, "fuzz", key().bytes()).has_value());
    const auto file = weir::kernels::serialize_envelope(std::move(envelope), "fuzz");
    require(file.has_value());
    // A catalog that has just what the bundle asks for: the checks behind it are to be reached.
    weir::kernels::CatalogView catalog{~0U, {}, {}};
    std::vector<std::string_view> names;
    std::vector<std::string_view> encoders;
    if (parsed) {
        for (const auto& input : parsed->inputs) {
            names.push_back(input.feature);
            encoders.push_back(input.encoder);
        }
        catalog.names = names;
        catalog.encoders = encoders;
    }
    weir::kernels::Keyring ring;
    ring.add(key().public_key());
    const auto verified = weir::kernels::verify_bundle(*file, "fuzz", ring, catalog, {});
    if (!verified) {
        check_refusal(verified.error());
        return;
    }
    require(verified->classifier != nullptr && verified->digest.size() == 64);
    check_sound(verified->bundle);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > kMaxInputBytes) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    fuzz_file(std::as_bytes(std::span(text)));
    fuzz_payload(text);
    return 0;
}
