// SPDX-License-Identifier: BSD-3-Clause
// Mutual TLS 1.3 in front of the control API: ends TLS here and hands the plain stream on, with who is at the other end.
#pragma once

#include "config/config.h"
#include "config/error.h"
#include "control/audit/audit.h"

#include <chrono>
#include <functional>
#include <memory>

namespace weir::control {

/// gRPC's own server cannot be held to one version of TLS, nor tells names in a form that peers by descriptor have. One
/// thread serves all connections, none of which can hold up another: handshakes have a deadline, buffers are bounded.
/// Certificates are read anew when their files change; connections that stand keep theirs. Thread: main.
class TlsFront {
  public:
    static constexpr std::size_t kMaxConnections = 128;
    static constexpr std::size_t kMaxHandshakes = 64;  ///< at once; the oldest goes
    static constexpr std::chrono::seconds kHandshake{10};

    /// Takes a connected descriptor; false: refused, and closed.
    using Adopt = std::function<bool(int fd, Actor actor)>;

    /// Fails if the address cannot be had or the certificates cannot be used. Offers and takes TLS 1.3 only, HTTP/2
    /// only, and clients whose certificate the CA vouches for only.
    [[nodiscard]] static Result<std::unique_ptr<TlsFront>> start(
        const config::ControlTls& config, Adopt adopt);
    ~TlsFront();
    TlsFront(const TlsFront&) = delete;
    TlsFront& operator=(const TlsFront&) = delete;

    /// Accepts no more; connections go on until the destructor.
    void close_door();
    /// The port in use.
    [[nodiscard]] std::uint16_t port() const noexcept;

  private:
    struct Impl;
    explicit TlsFront(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::control
