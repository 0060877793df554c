// SPDX-License-Identifier: BSD-3-Clause
// Who may do what: principals to roles, and how often they may ask.
#pragma once

#include "config/config.h"
#include "control/audit/audit.h"

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace weir::control {

/// Each may do what those before may.
enum class Role : std::uint8_t {
    viewer,     ///< reads
    operator_,  ///< changes models, policy and configuration
    admin       ///< overrides what protects the gateway
};

[[nodiscard]] std::string_view role_name(Role role) noexcept;

/// Thread: any.
class Access {
  public:
    explicit Access(const config::Control& config) { set(config); }

    /// Takes over a new configuration's lists and rate.
    void set(const config::Control& config);

    /// By credentials or certificate alone. Root and the user that runs weir are admins, and so are signals and other
    /// inner actors; whom no list names is a viewer.
    [[nodiscard]] Role role_of(const Actor& actor) const;

    /// False: the actor has used up its calls for now.
    [[nodiscard]] bool admit(const Actor& actor, std::chrono::steady_clock::time_point now);

  private:
    struct Bucket {
        double tokens = 0.0;
        std::chrono::steady_clock::time_point at;
    };
    static constexpr std::size_t kMaxBuckets = 1024;

    mutable std::mutex mutex_;
    config::Control config_;
    std::map<std::string, Bucket> buckets_;  ///< by principal
};

/// "uid 1000, pid 42", or the certificate's name.
[[nodiscard]] std::string describe_actor(const Actor& actor);

}  // namespace weir::control
