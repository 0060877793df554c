// SPDX-License-Identifier: BSD-3-Clause
// A certificate authority made in memory, and the files it issues.
#pragma once

#include "gateway_fixture.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace weir::control::test {

struct OpensslFree {
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const noexcept { X509_free(certificate); }
    void operator()(BIO* bio) const noexcept { BIO_free(bio); }
    void operator()(X509_CRL* list) const noexcept { X509_CRL_free(list); }
    void operator()(ASN1_TIME* time) const noexcept { ASN1_TIME_free(time); }
};
template <typename T>
using Openssl = std::unique_ptr<T, OpensslFree>;

class Authority {
  public:
    explicit Authority(const std::string& name) : key_(EVP_EC_gen("P-256")) {
        certificate_ = issue(name, "", key_.get());
    }

    /// stem.pem and stem.key, for `san` ("DNS:x", "URI:y"), issued by this authority.
    void write(const std::string& stem, const std::string& san) const {
        const Openssl<EVP_PKEY> key(EVP_EC_gen("P-256"));
        write_text(stem + ".pem", pem(*issue("leaf", san, key.get())));
        const Openssl<BIO> bio(BIO_new(BIO_s_mem()));
        PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        write_text(stem + ".key", text(*bio));
        (void)::chmod((stem + ".key").c_str(), 0600);
    }
    [[nodiscard]] std::string pem() const { return pem(*certificate_); }

    /// A revocation list of this authority, good until `next_s` from now, that names the certificates in `stems`.pem.
    [[nodiscard]] std::string crl(const std::vector<std::string>& stems, long next_s = 3600) const {
        const Openssl<X509_CRL> list(X509_CRL_new());
        X509_CRL_set_version(list.get(), 1);
        X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(certificate_.get()));
        const Openssl<ASN1_TIME> from(X509_gmtime_adj(nullptr, -7200));
        const Openssl<ASN1_TIME> next(X509_gmtime_adj(nullptr, next_s));
        X509_CRL_set1_lastUpdate(list.get(), from.get());
        X509_CRL_set1_nextUpdate(list.get(), next.get());
        for (const auto& stem : stems) {
            const Openssl<BIO> file(BIO_new_file((stem + ".pem").c_str(), "r"));
            const Openssl<X509> certificate(
                PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr));
            X509_REVOKED* revoked = X509_REVOKED_new();
            X509_REVOKED_set_serialNumber(revoked, X509_get_serialNumber(certificate.get()));
            X509_REVOKED_set_revocationDate(revoked, from.get());
            X509_CRL_add0_revoked(list.get(), revoked);
        }
        if (X509_CRL_sign(list.get(), key_.get(), EVP_sha256()) == 0) {
            throw std::runtime_error("cannot sign a revocation list");
        }
        const Openssl<BIO> bio(BIO_new(BIO_s_mem()));
        PEM_write_bio_X509_CRL(bio.get(), list.get());
        return text(*bio);
    }

  private:
    static std::string text(BIO& bio) {
        char* data = nullptr;
        const long size = BIO_get_mem_data(&bio, &data);
        return {data, static_cast<std::size_t>(size)};
    }
    static std::string pem(X509& certificate) {
        const Openssl<BIO> bio(BIO_new(BIO_s_mem()));
        PEM_write_bio_X509(bio.get(), &certificate);
        return text(*bio);
    }
    [[nodiscard]] Openssl<X509> issue(
        const std::string& name, const std::string& san, EVP_PKEY* key) const {
        static int serial = 0;
        Openssl<X509> out(X509_new());
        X509_set_version(out.get(), X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(out.get()), ++serial);
        X509_gmtime_adj(X509_getm_notBefore(out.get()), -3600);
        X509_gmtime_adj(X509_getm_notAfter(out.get()), 86400);
        X509_set_pubkey(out.get(), key);
        X509_NAME_add_entry_by_txt(
            X509_get_subject_name(out.get()),
            "CN",
            MBSTRING_ASC,
            reinterpret_cast<const unsigned char*>(name.c_str()),
            -1,
            -1,
            0);
        X509_set_issuer_name(
            out.get(), X509_get_subject_name(certificate_ ? certificate_.get() : out.get()));
        const int kind = san.empty() ? NID_basic_constraints : NID_subject_alt_name;
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(
            nullptr, nullptr, kind, san.empty() ? "critical,CA:TRUE" : san.c_str());
        X509_add_ext(out.get(), extension, -1);
        X509_EXTENSION_free(extension);
        if (X509_sign(out.get(), key_.get(), EVP_sha256()) == 0) {
            throw std::runtime_error("cannot sign a certificate");
        }
        return out;
    }

    Openssl<EVP_PKEY> key_;
    Openssl<X509> certificate_;
};

}  // namespace weir::control::test
