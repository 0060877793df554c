// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/tls_context.h"

#include <cstring>
#include <string_view>
#include <utility>

#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace weir::control {

namespace {

std::string openssl_error() {
    std::array<char, 256> text{};
    ERR_error_string_n(ERR_get_error(), text.data(), text.size());
    ERR_clear_error();
    return text.data();
}

tl::unexpected<Error> unusable(const std::string& path, const char* field) {
    return fail(
        path,
        std::string("control.tls.") + field,
        "cannot be used: " + openssl_error(),
        "name a PEM file that the user who runs weir may read");
}

/// HTTP/2 or nothing.
int choose_protocol(
    SSL* /*ssl*/,
    const unsigned char** out,
    unsigned char* out_length,
    const unsigned char* in,
    unsigned int in_length,
    void* /*argument*/) {
    static constexpr std::string_view kH2 = "\x02h2";
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(
            &chosen,
            out_length,
            reinterpret_cast<const unsigned char*>(kH2.data()),
            static_cast<unsigned int>(kH2.size()),
            in,
            in_length) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

}  // namespace

TlsContext::Stamps TlsContext::stamps() const {
    Stamps out{};
    const std::array<const std::string*, 4> files{
        &config_.certificate, &config_.key, &config_.client_ca, &config_.crl};
    for (std::size_t i = 0; i < files.size(); ++i) {
        struct stat info {};
        if (::stat(files[i]->c_str(), &info) == 0) {
            out[i] = {info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_ino};
        }
    }
    return out;
}

Result<bool> TlsContext::refresh() {
    const Stamps now = stamps();
    if (context_ && now == stamps_) {
        return false;
    }
    stamps_ = now;  // files that cannot be used are not read again until they change
    auto loaded = load();
    if (!loaded) {
        return tl::unexpected(std::move(loaded.error()));
    }
    context_ = std::move(*loaded);
    return true;
}

Result<std::unique_ptr<SSL_CTX, TlsContext::Free>> TlsContext::load() const {
    struct stat info {};
    if (::stat(config_.key.c_str(), &info) == 0 && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return fail(
            config_.key, "control.tls.key", "may be read by others", "chmod 600 " + config_.key);
    }
    ERR_clear_error();
    std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_server_method()));
    if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1) {
        return unusable(config_.certificate, "certificate");
    }
    if (SSL_CTX_use_certificate_chain_file(context.get(), config_.certificate.c_str()) != 1) {
        return unusable(config_.certificate, "certificate");
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), config_.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context.get()) != 1) {
        return unusable(config_.key, "key");
    }
    if (SSL_CTX_load_verify_file(context.get(), config_.client_ca.c_str()) != 1) {
        return unusable(config_.client_ca, "client_ca");
    }
    if (auto listed = load_crl(*context); !listed) {
        return tl::unexpected(std::move(listed.error()));
    }
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_mode(
        context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // No resumption: a client that is trusted no more must not come back on an old session.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context.get(), 0);
    SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
    return context;
}

Result<void> TlsContext::load_crl(SSL_CTX& context) const {
    if (config_.crl.empty()) {
        return {};
    }
    X509_STORE* store = SSL_CTX_get_cert_store(&context);
    X509_LOOKUP* lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == nullptr ||
        X509_load_crl_file(lookup, config_.crl.c_str(), X509_FILETYPE_PEM) < 1) {
        return unusable(config_.crl, "crl");
    }
    // Every certificate of the chain: an authority between may be revoked, too.
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return {};
}

bool TlsContext::trusts(const SSL& ssl) const {
    struct FreeContext {
        void operator()(X509_STORE_CTX* check) const noexcept { X509_STORE_CTX_free(check); }
    };
    X509* certificate = SSL_get0_peer_certificate(&ssl);
    const std::unique_ptr<X509_STORE_CTX, FreeContext> check(X509_STORE_CTX_new());
    const bool good = certificate != nullptr && check &&
                      X509_STORE_CTX_init(
                          check.get(),
                          SSL_CTX_get_cert_store(context_.get()),
                          certificate,
                          SSL_get_peer_cert_chain(&ssl)) == 1 &&
                      X509_STORE_CTX_set_default(check.get(), "ssl_client") == 1 &&
                      X509_verify_cert(check.get()) == 1;
    ERR_clear_error();
    return good;
}

std::vector<std::string> peer_names(const SSL& ssl) {
    std::vector<std::string> names;
    X509* certificate = SSL_get0_peer_certificate(&ssl);
    if (certificate == nullptr) {
        return names;
    }
    auto* all = static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; all != nullptr && i < sk_GENERAL_NAME_num(all); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(all, i);
        if (name->type != GEN_DNS && name->type != GEN_URI && name->type != GEN_EMAIL) {
            continue;
        }
        const ASN1_IA5STRING* text = name->d.ia5;
        const std::string value(
            reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
            static_cast<std::size_t>(ASN1_STRING_length(text)));
        if (value.find('\0') == std::string::npos) {  // a name cut short is another name
            names.push_back(value);
        }
    }
    GENERAL_NAMES_free(all);
    return names;
}

}  // namespace weir::control
