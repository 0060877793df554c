// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/model/check.h"

#include "kernels/onednn/variants.h"

#include <algorithm>
#include <string_view>
#include <type_traits>
#include <unordered_set>

namespace weir::kernels {
namespace {

constexpr const char* kMakeAnew = "make the bundle anew with weirlab";
constexpr std::size_t kMinClasses = 2;
constexpr std::size_t kMaxNameChars = 64;
constexpr std::size_t kMaxDescriptionBytes = 4096;
constexpr std::size_t kMaxGolden = 1024;
constexpr std::size_t kCodes = 256;
// Keeps every sum over a histogram inside 64 bits.
constexpr std::uint64_t kMaxHistogramCount = std::uint64_t{1} << 48;

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz0123456789._-";
constexpr std::string_view kAnyCase =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
constexpr std::string_view kHex = "0123456789abcdef";

std::string at(const char* list, std::size_t i, const char* field = "") {
    return std::string(list) + '[' + std::to_string(i) + ']' + field;
}

bool made_of(std::string_view text, std::string_view alphabet) noexcept {
    return text.find_first_not_of(alphabet) == std::string_view::npos;
}

// One check's outcome; collects nothing, stops at the first finding.
class Checks {
  public:
    explicit Checks(const std::string& where) : where_(where) {}

    [[nodiscard]] bool ok() const noexcept { return result_.has_value(); }

    void name(const std::string& field, std::string_view text, std::string_view alphabet) {
        if (text.empty() || text.size() > kMaxNameChars || !made_of(text, alphabet)) {
            const bool upper = alphabet == kAnyCase;
            refuse(
                field,
                std::string("not a name of 1 to 64 of ") + (upper ? "A-Z " : "") + "a-z 0-9 . _ -",
                "rename it");
        }
    }

    void must(bool condition, std::string field, std::string what, std::string fix = kMakeAnew) {
        if (!condition) {
            refuse(std::move(field), std::move(what), std::move(fix));
        }
    }

    void refuse(std::string field, std::string what, std::string fix = kMakeAnew) {
        if (ok()) {
            result_ = fail(where_, std::move(field), std::move(what), std::move(fix));
        }
    }

    // Takes over an error of a part's own check, which names the path but not the bundle.
    void part(Result<void> outcome) {
        if (!outcome && ok()) {
            Error error = std::move(outcome.error());
            error.where = where_;
            result_ = tl::unexpected(std::move(error));
        }
    }

    Result<void> take() { return std::move(result_); }

  private:
    const std::string& where_;
    Result<void> result_;
};

void classes(const Bundle& bundle, Checks& c) {
    c.must(
        bundle.classes.size() >= kMinClasses && bundle.classes.size() <= kMaxOutputs,
        "classes",
        std::to_string(bundle.classes.size()) + " classes, 2 to 64 may be");
    std::unordered_set<std::string_view> seen;
    for (std::size_t i = 0; i < bundle.classes.size() && c.ok(); ++i) {
        c.name(at("classes", i), bundle.classes[i], kAnyCase);
        c.must(
            seen.insert(bundle.classes[i]).second,
            at("classes", i),
            "class '" + bundle.classes[i] + "' is there twice",
            "rename or join the classes");
    }
}

void thresholds(const Bundle& bundle, Checks& c) {
    const auto& t = bundle.thresholds;
    c.must(
        t.empty() || t.size() == bundle.classes.size(),
        "thresholds",
        std::to_string(t.size()) + " thresholds for " + std::to_string(bundle.classes.size()) +
            " classes");
    for (std::size_t i = 0; i < t.size() && c.ok(); ++i) {
        c.must(
            t[i] >= 0.0 && t[i] <= 1.0,  // false for NaN
            at("thresholds", i),
            std::to_string(t[i]) + " is not in 0…1",
            "give a confidence");
    }
}

void network(const Bundle& bundle, Checks& c) {
    const char* family = network_family(bundle.network);
    c.part(std::visit([](const auto& spec) { return validate(spec); }, bundle.network));
    const std::uint32_t inputs = network_inputs(bundle.network);
    c.must(
        inputs == bundle.inputs.size(),
        "inputs",
        std::to_string(bundle.inputs.size()) + " inputs named, but the " + family + " takes " +
            std::to_string(inputs));
    c.must(inputs <= kMaxInputs, "inputs", "more than " + std::to_string(kMaxInputs));
    if (c.ok()) {
        const auto raw = network_outputs(bundle.network);
        const auto count = static_cast<std::uint32_t>(bundle.classes.size());
        c.part(validate(bundle.head, raw, count));
    }
}

void histograms(const Bundle& bundle, Checks& c) {
    const auto& h = bundle.histograms;
    c.must(
        h.empty() || h.size() == bundle.inputs.size(),
        "histograms",
        std::to_string(h.size()) + " histograms for " + std::to_string(bundle.inputs.size()) +
            " inputs");
    for (std::size_t i = 0; i < h.size() && c.ok(); ++i) {
        c.must(
            h[i].empty() || h[i].size() == kCodes,
            at("histograms", i, ".counts"),
            std::to_string(h[i].size()) + " counts, not 256");
        const auto most = std::max_element(h[i].begin(), h[i].end());
        c.must(
            most == h[i].end() || *most <= kMaxHistogramCount,
            at("histograms", i, ".counts"),
            "a count above 2^48");
    }
}

void golden(const Bundle& bundle, Checks& c) {
    const auto& g = bundle.golden;
    c.must(
        !g.empty() && g.size() <= kMaxGolden,
        "golden",
        std::to_string(g.size()) + " golden vectors, 1 to 1024 may be");
    const std::uint32_t inputs = network_inputs(bundle.network);
    const std::uint32_t outputs = network_outputs(bundle.network);
    for (std::size_t i = 0; i < g.size() && c.ok(); ++i) {
        c.must(
            g[i].codes.size() == inputs,
            at("golden", i, ".codes"),
            std::to_string(g[i].codes.size()) + " codes for " + std::to_string(inputs) + " inputs");
        c.must(
            g[i].raw.size() == outputs,
            at("golden", i, ".raw"),
            std::to_string(g[i].raw.size()) + " values for " + std::to_string(outputs) +
                " outputs");
    }
}

// The network's field in the file, and the first part of the paths that its validate() names.
const char* family_name(const MlpSpec&) noexcept {
    return "mlp";
}
const char* family_name(const ForestSpec&) noexcept {
    return "forest";
}
const char* family_name(const LinearSpec&) noexcept {
    return "linear";
}
const char* family_name(const AutoencoderSpec&) noexcept {
    return "autoencoder";
}
const char* family_name(const SequenceSpec&) noexcept {
    return "sequence";
}
const char* family_name(const OnednnSpec&) noexcept {
    return "onednn";
}
const char* family_name(const NormalizedSpec&) noexcept {
    return "normalized";
}

// How far a golden vector's raw outputs may be off: floats are summed in any order, all else is exact.
std::vector<double> tolerance(const Network& network, const GoldenVector& golden) {
    const auto* onednn = std::get_if<OnednnSpec>(&network);
    return onednn == nullptr ? std::vector<double>(golden.raw.size(), 0)
                             : onednn_tolerance(*onednn, golden.codes.data(), golden.raw);
}

// Scores rows [first, first + n) in one call and compares.
Result<void> golden_rows(
    const Bundle& bundle,
    const std::string& where,
    const Classifier& classifier,
    std::size_t first,
    std::size_t n,
    std::byte* scratch) {
    const std::size_t inputs = classifier.inputs();
    const std::size_t outputs = classifier.outputs();
    std::vector<std::uint8_t> rows;
    rows.reserve(n * inputs);
    for (std::size_t i = first; i < first + n; ++i) {
        rows.insert(rows.end(), bundle.golden[i].codes.begin(), bundle.golden[i].codes.end());
    }
    std::vector<std::int32_t> out(n * outputs);
    classifier.score(rows.data(), inputs, static_cast<std::uint32_t>(n), out.data(), scratch);
    for (std::size_t i = 0; i < n; ++i) {
        const std::vector<double> off = tolerance(bundle.network, bundle.golden[first + i]);
        for (std::size_t o = 0; o < outputs; ++o) {
            const std::int32_t want = bundle.golden[first + i].raw[o];
            const std::int32_t have = out[i * outputs + o];
            if (std::abs(static_cast<double>(want) - have) > off[o]) {
                return fail(
                    where,
                    at("golden", first + i, ".raw") + '[' + std::to_string(o) + ']',
                    "the bundle says " + std::to_string(want) + ", kernel " +
                        std::string(isa_name(classifier.isa())) + " gives " + std::to_string(have),
                    kMakeAnew);
            }
        }
    }
    return {};
}

}  // namespace

std::uint32_t network_outputs(const Network& network) noexcept {
    return std::visit(
        [](const auto& spec) -> std::uint32_t {
            if constexpr (std::is_same_v<decltype(spec), const ForestSpec&>) {
                return static_cast<std::uint32_t>(spec.base.size());
            } else {
                return spec.outputs();
            }
        },
        network);
}

std::uint32_t network_inputs(const Network& network) noexcept {
    return std::visit(
        [](const auto& spec) -> std::uint32_t {
            if constexpr (std::is_same_v<decltype(spec), const ForestSpec&>) {
                return spec.inputs;
            } else {
                return spec.inputs();
            }
        },
        network);
}

const char* network_family(const Network& network) noexcept {
    return std::visit([](const auto& spec) { return family_name(spec); }, network);
}

Result<void> check_manifest(const Bundle& bundle, const std::string& where) {
    Checks c(where);
    c.name("manifest.name", bundle.name, kLower);
    c.name("manifest.slot", bundle.slot, kLower);
    c.must(bundle.version >= 1, "manifest.version", "0; versions start at 1", "raise the version");
    c.must(bundle.created_unix >= 0, "manifest.created_unix", "before 1970");
    c.must(
        bundle.data_digest.empty() ||
            (bundle.data_digest.size() == 64 && made_of(bundle.data_digest, kHex)),
        "manifest.data_digest",
        "not a sha256 in hex");
    c.must(
        bundle.description.size() <= kMaxDescriptionBytes,
        "manifest.description",
        "more than 4096 bytes");
    c.must(bundle.catalog_version >= 1, "manifest.catalog_version", "0; versions start at 1");
    c.must(
        !bundle.inputs.empty() && bundle.inputs.size() <= kMaxInputs,
        "inputs",
        std::to_string(bundle.inputs.size()) + " inputs, 1 to 256 may be");
    for (std::size_t i = 0; i < bundle.inputs.size() && c.ok(); ++i) {
        c.name(at("inputs", i, ".feature"), bundle.inputs[i].feature, kLower);
        const std::string& encoder = bundle.inputs[i].encoder;
        const bool printable = std::all_of(
            encoder.begin(), encoder.end(), [](char ch) { return ch > ' ' && ch <= '~'; });
        c.must(
            printable && !encoder.empty() && encoder.size() <= kMaxNameChars,
            at("inputs", i, ".encoder"),
            "not an encoder's text");
    }
    return c.take();
}

Result<void> check_shapes(const Bundle& bundle, const std::string& where) {
    Checks c(where);
    for (const auto check : {classes, thresholds, network, histograms, golden}) {
        if (c.ok()) {
            check(bundle, c);
        }
    }
    return c.take();
}

Result<std::unique_ptr<Classifier>> build_classifier(
    const Bundle& bundle, const std::string& where, std::optional<Isa> isa) {
    auto classifier = make_classifier(bundle.network, isa);
    if (!classifier) {
        Error error = std::move(classifier.error());
        error.where = where;
        return tl::unexpected(std::move(error));
    }
    return classifier;
}

Result<void> check_golden(
    const Bundle& bundle, const std::string& where, const Classifier& classifier) {
    constexpr std::size_t kAlign = 64;
    std::vector<std::byte> memory(classifier.scratch_bytes() + kAlign);
    void* scratch = memory.data();
    std::size_t space = memory.size();
    auto* aligned =
        static_cast<std::byte*>(std::align(kAlign, classifier.scratch_bytes(), scratch, space));
    const std::size_t total = bundle.golden.size();
    for (const std::size_t step : {std::size_t{kMaxRows}, std::size_t{1}}) {
        for (std::size_t first = 0; first < total; first += step) {
            auto ok = golden_rows(
                bundle, where, classifier, first, std::min(step, total - first), aligned);
            if (!ok) {
                return ok;
            }
        }
    }
    return {};
}

}  // namespace weir::kernels
