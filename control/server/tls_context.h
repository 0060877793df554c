// SPDX-License-Identifier: BSD-3-Clause
// The certificates of the TLS door, and the names in a peer's.
#pragma once

#include "config/config.h"
#include "config/error.h"

#include <array>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include <openssl/ssl.h>

namespace weir::control {

/// Thread: one.
class TlsContext {
  public:
    explicit TlsContext(config::ControlTls config) : config_(std::move(config)) {}

    /// Reads the files if they changed since; true if they did. Keeps what it had if they cannot be used.
    [[nodiscard]] Result<bool> refresh();
    /// Whether the peer's certificate would be let in by the files as they are now (issuers, dates, revocation).
    [[nodiscard]] bool trusts(const SSL& ssl) const;
    [[nodiscard]] SSL_CTX* get() const noexcept { return context_.get(); }

  private:
    struct Free {
        void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
    };
    struct Stamp {
        std::time_t seconds = 0;
        long nanoseconds = 0;
        ino_t inode = 0;
        friend bool operator==(const Stamp&, const Stamp&) = default;
    };
    using Stamps = std::array<Stamp, 4>;
    [[nodiscard]] Stamps stamps() const;
    [[nodiscard]] Result<std::unique_ptr<SSL_CTX, Free>> load() const;
    [[nodiscard]] Result<void> load_crl(SSL_CTX& context) const;

    config::ControlTls config_;
    std::unique_ptr<SSL_CTX, Free> context_;
    Stamps stamps_{};
};

/// DNS names, URIs and mail addresses of the peer's certificate.
[[nodiscard]] std::vector<std::string> peer_names(const SSL& ssl);

}  // namespace weir::control
