// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/model/envelope.h"

#include "kernels/model/bundle.pb.h"
#include "kernels/model/convert.h"
#include "kernels/model/crypto.h"
#include "kernels/model/wire_check.h"

#include <algorithm>
#include <array>

#include <sodium.h>

namespace weir::kernels {
namespace {

namespace pb = model::v1;

constexpr std::size_t kSignatureBytes = crypto_sign_BYTES;
constexpr std::size_t kKeyIdChars = 16;
constexpr std::size_t kMaxSignatures = 16;

const unsigned char* as_unsigned(std::string_view text) noexcept {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string signed_message(std::string_view payload) {
    std::string message;
    message.reserve(kSignatureDomain.size() + payload.size());
    message += kSignatureDomain;
    message += payload;
    return message;
}

bool is_key_id(std::string_view id) noexcept {
    return id.size() == kKeyIdChars &&
           id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string signature_path(std::size_t i, const char* field) {
    return "signatures[" + std::to_string(i) + "]." + field;
}

Result<void> check_signature_form(const Envelope& envelope, const std::string& where) {
    const auto& signatures = envelope.signatures;
    for (std::size_t i = 0; i < signatures.size(); ++i) {
        if (!is_key_id(signatures[i].key_id)) {
            return fail(
                where,
                signature_path(i, "key_id"),
                "not 16 hex digits",
                "sign the bundle with weirlab sign");
        }
        if (signatures[i].signature.size() != kSignatureBytes) {
            return fail(
                where,
                signature_path(i, "signature"),
                std::to_string(signatures[i].signature.size()) + " bytes, not 64",
                "sign the bundle with weirlab sign");
        }
        for (std::size_t j = 0; j < i; ++j) {
            if (signatures[j].key_id == signatures[i].key_id) {
                return fail(
                    where,
                    signature_path(i, "key_id"),
                    "key " + signatures[i].key_id + " signed twice",
                    "sign the bundle with weirlab sign");
            }
        }
    }
    return {};
}

std::string list_ids(const Envelope& envelope) {
    std::string ids;
    for (const EnvelopeSignature& s : envelope.signatures) {
        ids += (ids.empty() ? "" : ", ") + s.key_id;
    }
    return ids;
}

}  // namespace

Result<Envelope> parse_envelope(
    std::span<const std::byte> file, const std::string& where, std::size_t max_bytes) {
    const std::size_t limit = std::min(max_bytes, kHardMaxBundleBytes);
    if (file.empty()) {
        return fail(where, "size", "the bundle is empty", "give a bundle that weirlab made");
    }
    if (file.size() > limit) {
        return fail(
            where,
            "size",
            std::to_string(file.size()) + " bytes, at most " + std::to_string(limit) + " may be",
            "make the model smaller, or raise control.max_bundle_mb");
    }
    if (auto ok = check_wire(file, *pb::SignedBundle::descriptor(), where); !ok) {
        return tl::unexpected(std::move(ok.error()));
    }
    pb::SignedBundle message;
    if (!message.ParseFromArray(file.data(), static_cast<int>(file.size()))) {
        return fail(where, "payload", "the encoding is broken", "give a bundle that weirlab made");
    }
    Envelope envelope;
    envelope.payload = std::move(*message.mutable_payload());
    for (pb::Signature& s : *message.mutable_signatures()) {
        envelope.signatures.push_back(
            {std::move(*s.mutable_key_id()), std::move(*s.mutable_signature())});
    }
    if (auto ok = check_signature_form(envelope, where); !ok) {
        return tl::unexpected(std::move(ok.error()));
    }
    return envelope;
}

Result<Bundle> parse_payload(std::string_view payload, const std::string& where) {
    if (payload.size() > kHardMaxBundleBytes) {
        return fail(where, "payload", "too large");
    }
    const auto bytes = std::as_bytes(std::span(payload));
    if (auto ok = check_wire(bytes, *pb::Bundle::descriptor(), where); !ok) {
        return tl::unexpected(std::move(ok.error()));
    }
    pb::Bundle message;
    if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
        return fail(where, "payload", "the encoding is broken", "give a bundle that weirlab made");
    }
    return from_proto(message, where);
}

namespace {

// Why a key's signature does not count; empty: it does.
std::string why_unusable(
    const PublicKey& key, const Keyring& keyring, std::optional<std::int64_t> now_unix) {
    if (keyring.is_revoked(key.id)) {
        return "is revoked";
    }
    if (now_unix && key.valid_from_unix != 0 && *now_unix < key.valid_from_unix) {
        return "is not valid yet";
    }
    return now_unix && key.valid_until_unix != 0 && *now_unix >= key.valid_until_unix
               ? "is valid no more"
               : "";
}

}  // namespace

Result<std::string> check_signatures(
    const Envelope& envelope,
    const std::string& where,
    const Keyring& keyring,
    std::optional<std::int64_t> now_unix) {
    if (!sodium_ready()) {
        return fail(where, "signatures", "libsodium cannot start");
    }
    if (keyring.keys().empty()) {
        return fail(
            where,
            "signatures",
            "the keyring is empty, so nothing can be trusted",
            "put the signer's .pub file into the keyring");
    }
    if (envelope.signatures.empty()) {
        return fail(where, "signatures", "not signed", "sign the bundle with weirlab sign");
    }
    const std::string message = signed_message(envelope.payload);
    std::string signer;
    std::string unusable;  // why a known key does not count
    for (std::size_t i = 0; i < envelope.signatures.size(); ++i) {
        const EnvelopeSignature& s = envelope.signatures[i];
        const PublicKey* key = keyring.find(s.key_id);
        if (key == nullptr) {
            continue;
        }
        if (crypto_sign_verify_detached(
                as_unsigned(s.signature),
                as_unsigned(message),
                message.size(),
                key->bytes.data()) != 0) {
            return fail(
                where,
                signature_path(i, "signature"),
                "does not hold for key " + s.key_id + " (" + key->name +
                    "): the bundle was changed after signing",
                "fetch the bundle again from its source");
        }
        if (auto why = why_unusable(*key, keyring, now_unix); !why.empty()) {
            unusable = "key " + s.key_id + " (" + key->name + ") " + why;
        } else if (signer.empty()) {
            signer = s.key_id;
        }
    }
    if (signer.empty() && !unusable.empty()) {
        return fail(where, "signatures", unusable, "have a key sign that may be used now");
    }
    if (signer.empty()) {
        return fail(
            where,
            "signatures",
            "signed by no key of the keyring, but by " + list_ids(envelope),
            "put the signer's .pub file into the keyring, or have a trusted key sign");
    }
    return signer;
}

Result<void> sign_envelope(
    Envelope& envelope, const std::string& where, std::span<const std::uint8_t, 64> secret) {
    if (!sodium_ready()) {
        return fail(where, "signatures", "libsodium cannot start");
    }
    std::array<std::uint8_t, crypto_sign_PUBLICKEYBYTES> pub{};
    crypto_sign_ed25519_sk_to_pk(pub.data(), secret.data());
    EnvelopeSignature fresh{key_id(pub), std::string(kSignatureBytes, '\0')};
    const std::string message = signed_message(envelope.payload);
    crypto_sign_detached(
        reinterpret_cast<unsigned char*>(fresh.signature.data()),
        nullptr,
        as_unsigned(message),
        message.size(),
        secret.data());
    std::erase_if(
        envelope.signatures, [&](const EnvelopeSignature& s) { return s.key_id == fresh.key_id; });
    if (envelope.signatures.size() >= kMaxSignatures) {
        return fail(
            where, "signatures", "there are 16 already", "sign a copy with fewer signatures");
    }
    envelope.signatures.push_back(std::move(fresh));
    return {};
}

Result<Bytes> serialize_envelope(Envelope envelope, const std::string& where) {
    pb::SignedBundle message;
    message.set_payload(std::move(envelope.payload));
    for (EnvelopeSignature& s : envelope.signatures) {
        pb::Signature& to = *message.add_signatures();
        to.set_key_id(std::move(s.key_id));
        to.set_signature(std::move(s.signature));
    }
    const std::size_t size = message.ByteSizeLong();
    if (size > kHardMaxBundleBytes) {
        return fail(where, "size", std::to_string(size) + " bytes", "make the model smaller");
    }
    Bytes file(size);
    if (!message.SerializeToArray(file.data(), static_cast<int>(size))) {
        return fail(where, "payload", "cannot be serialized");
    }
    return file;
}

}  // namespace weir::kernels
