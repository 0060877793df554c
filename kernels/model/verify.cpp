// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/model/verify.h"

#include "kernels/model/bundle.pb.h"
#include "kernels/model/check.h"
#include "kernels/model/convert.h"
#include "kernels/model/crypto.h"
#include "kernels/model/envelope.h"
#include "kernels/model/guarded.h"

#include <algorithm>
#include <unordered_map>

namespace weir::kernels {
namespace {

Result<void> check_place(
    const Bundle& bundle, const std::string& where, const VerifyOptions& options) {
    if (!options.expected_slot.empty() && bundle.slot != options.expected_slot) {
        return fail(
            where,
            "manifest.slot",
            "made for slot '" + bundle.slot + "', not '" + options.expected_slot + "'",
            "load it into slot '" + bundle.slot + "'");
    }
    if (options.newer_than != 0 && bundle.version <= options.newer_than) {
        return fail(
            where,
            "manifest.version",
            "version " + std::to_string(bundle.version) + " is not newer than " +
                std::to_string(options.newer_than) + ", which was here before",
            "make the bundle with a higher version");
    }
    return {};
}

Result<void> check_cost(
    const Bundle& bundle,
    const std::string& where,
    const Classifier& classifier,
    const VerifyOptions& options) {
    auto budget = options.max_cycles_per_row;
    if (const auto of_slot = options.budgets.find(bundle.slot); of_slot != options.budgets.end()) {
        budget = of_slot->second;
    }
    if (!budget) {
        return {};
    }
    const double cycles = predicted_cycles_per_row(bundle.network, classifier.isa());
    if (cycles <= *budget) {
        return {};
    }
    return fail(
        where,
        network_family(bundle.network),
        "costs about " + std::to_string(cycles) + " cycles a row on " +
            std::string(isa_name(classifier.isa())) + ", the slot's budget is " +
            std::to_string(*budget),
        "make the model smaller, or raise the slot's budget");
}

Result<VerifiedBundle> verify(
    std::span<const std::byte> file,
    const std::string& where,
    const Keyring& keyring,
    const CatalogView& catalog,
    const VerifyOptions& options) {
    VerifiedBundle out;
    {
        // The payload's bytes are freed before the classifier takes memory.
        auto envelope = parse_envelope(file, where, options.max_bytes);
        if (!envelope) {
            return tl::unexpected(std::move(envelope.error()));
        }
        auto signer = check_signatures(*envelope, where, keyring, options.now_unix);
        if (!signer) {
            return tl::unexpected(std::move(signer.error()));
        }
        out.signer = std::move(*signer);
        auto bundle = parse_payload(envelope->payload, where);
        if (!bundle) {
            return tl::unexpected(std::move(bundle.error()));
        }
        out.bundle = std::move(*bundle);
    }
    return check_manifest(out.bundle, where)
        .and_then([&] { return check_place(out.bundle, where, options); })
        .and_then([&] { return match_catalog(out.bundle, where, catalog); })
        .and_then([&](std::vector<std::uint16_t> ids) {
            out.feature_ids = std::move(ids);
            return check_shapes(out.bundle, where);
        })
        .and_then([&] { return build_classifier(out.bundle, where, options.isa); })
        .and_then([&](std::unique_ptr<Classifier> classifier) {
            out.classifier = std::move(classifier);
            return check_cost(out.bundle, where, *out.classifier, options);
        })
        .and_then([&] { return check_golden(out.bundle, where, *out.classifier); })
        .map([&] {
            out.digest = blake2b_hex(file);
            return std::move(out);
        });
}

Result<Envelope> unsigned_envelope(const Bundle& bundle, const std::string& where) {
    model::v1::Bundle message;
    to_proto(bundle, message);
    if (message.ByteSizeLong() > kHardMaxBundleBytes) {
        return fail(where, "size", "the model is too large for a bundle", "make it smaller");
    }
    Envelope envelope;
    if (!message.SerializeToString(&envelope.payload)) {
        return fail(where, "payload", "cannot be serialized");
    }
    return envelope;
}

std::string bundle_where(const Bundle& bundle) {
    return "bundle " + bundle.name;
}

}  // namespace

Result<VerifiedBundle> verify_bundle(
    std::span<const std::byte> file,
    const std::string& where,
    const Keyring& keyring,
    const CatalogView& catalog,
    const VerifyOptions& options) {
    return guarded(where, [&] { return verify(file, where, keyring, catalog, options); });
}

Result<Bundle> parse_bundle(std::span<const std::byte> file, const std::string& where) {
    return guarded(where, [&] {
        return parse_envelope(file, where, kHardMaxBundleBytes).and_then([&](const Envelope& e) {
            return parse_payload(e.payload, where);
        });
    });
}

Result<std::vector<std::string>> bundle_signers(
    std::span<const std::byte> file, const std::string& where) {
    return guarded(where, [&] {
        return parse_envelope(file, where, kHardMaxBundleBytes).map([](Envelope e) {
            std::vector<std::string> ids;
            for (EnvelopeSignature& s : e.signatures) {
                ids.push_back(std::move(s.key_id));
            }
            return ids;
        });
    });
}

std::string bundle_digest(std::span<const std::byte> file) {
    return sodium_ready() ? blake2b_hex(file) : std::string();
}

Result<std::unique_ptr<Classifier>> check_bundle(
    const Bundle& bundle, const std::string& where, std::optional<Isa> isa) {
    return guarded(where, [&]() -> Result<std::unique_ptr<Classifier>> {
        auto classifier = check_manifest(bundle, where)
                              .and_then([&] { return check_shapes(bundle, where); })
                              .and_then([&] { return build_classifier(bundle, where, isa); });
        if (classifier) {
            if (auto ok = check_golden(bundle, where, **classifier); !ok) {
                return tl::unexpected(std::move(ok.error()));
            }
        }
        return classifier;
    });
}

Result<std::vector<std::uint16_t>> match_catalog(
    const Bundle& bundle, const std::string& where, const CatalogView& catalog) {
    if (bundle.catalog_version > catalog.version) {
        return fail(
            where,
            "manifest.catalog_version",
            "made for feature catalog " + std::to_string(bundle.catalog_version) +
                ", this gateway has " + std::to_string(catalog.version),
            "upgrade the gateway, or train with its version of weirlab");
    }
    std::unordered_map<std::string_view, std::uint16_t> by_name;
    for (std::size_t id = 0; id < catalog.names.size(); ++id) {
        by_name.emplace(catalog.names[id], static_cast<std::uint16_t>(id));
    }
    std::vector<std::uint16_t> ids;
    for (const BundleInput& input : bundle.inputs) {
        const std::string path = "inputs[" + std::to_string(ids.size()) + "]";
        const auto it = by_name.find(input.feature);
        if (it == by_name.end()) {
            return fail(
                where,
                path + ".feature",
                "the catalog has no feature '" + input.feature + "'",
                "upgrade the gateway, or train without it");
        }
        if (std::find(ids.begin(), ids.end(), it->second) != ids.end()) {
            return fail(
                where, path + ".feature", "'" + input.feature + "' is there twice", "train anew");
        }
        if (catalog.encoders[it->second] != input.encoder) {
            return fail(
                where,
                path + ".encoder",
                "'" + input.feature + "' was trained with encoder '" + input.encoder +
                    "', this gateway's is '" + std::string(catalog.encoders[it->second]) + "'",
                "train anew on codes of this gateway's catalog");
        }
        ids.push_back(it->second);
    }
    return ids;
}

Result<Bytes> serialize_bundle(const Bundle& bundle) {
    const std::string where = bundle_where(bundle);
    return guarded(where, [&] {
        return unsigned_envelope(bundle, where).and_then([&](Envelope e) {
            return serialize_envelope(std::move(e), where);
        });
    });
}

Result<Bytes> sign_bundle(const Bundle& bundle, std::span<const std::uint8_t, 64> secret) {
    const std::string where = bundle_where(bundle);
    return guarded(where, [&]() -> Result<Bytes> {
        auto envelope = unsigned_envelope(bundle, where);
        if (!envelope) {
            return tl::unexpected(std::move(envelope.error()));
        }
        return sign_envelope(*envelope, where, secret).and_then([&] {
            return serialize_envelope(std::move(*envelope), where);
        });
    });
}

Result<Bytes> add_signature(
    std::span<const std::byte> file,
    const std::string& where,
    std::span<const std::uint8_t, 64> secret) {
    return guarded(where, [&]() -> Result<Bytes> {
        auto envelope = parse_envelope(file, where, kHardMaxBundleBytes);
        if (!envelope) {
            return tl::unexpected(std::move(envelope.error()));
        }
        return sign_envelope(*envelope, where, secret).and_then([&] {
            return serialize_envelope(std::move(*envelope), where);
        });
    });
}

}  // namespace weir::kernels
