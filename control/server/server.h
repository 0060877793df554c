// SPDX-License-Identifier: BSD-3-Clause
// The gRPC service behind the control socket. This header is free of gRPC.
#pragma once

#include "config/error.h"
#include "control/control_thread.h"
#include "control/gateway_view.h"
#include "control/registry/checker.h"
#include "control/registry/policy_window.h"
#include "control/registry/registry.h"
#include "control/registry/report.h"
#include "control/server/access.h"
#include "control/watch/flow_watch.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::control {

/// Serves weir.control.v1.Control, health and reflection while it lives. Handlers only queue: bundles are checked on
/// `verifier`, decisions made on `control`; no call holds a thread while it waits for its client.
class ControlServer {
  public:
    struct Parts {
        ControlThread& control;
        ControlThread& verifier;
        ModelRegistry& registry;  ///< touched on `control` only
        std::shared_ptr<const BundleChecker> checker;
        const GatewayView& view;
        std::string metrics_url;
        /// On `control`: after a change that succeeded.
        std::function<void()> changed;
        /// On `control`: reads the configuration file again.
        std::function<tl::expected<ReloadReport, std::vector<Error>>(const Actor&, bool dry_run)>
            reload;
        std::shared_ptr<Access> access{};      ///< null: everybody is an admin
        const PolicyWindow* window = nullptr;  ///< touched on `control` only
        /// Touched on `control` only, but for slots(); null: its calls are not implemented.
        FlowWatch* flows = nullptr;
    };

    static constexpr std::size_t kMaxChunkBytes = std::size_t{1} << 20;
    static constexpr int kMaxPushes = 4;      ///< at once
    static constexpr int kMaxWatches = 32;    ///< at once
    static constexpr int kMaxTails = 8;       ///< at once
    static constexpr int kPushSeconds = 120;  ///< from first to last byte

    /// Binds `config.socket`, and `config.tls.listen` if set, and serves. Its threads inherit the caller's CPU affinity.
    /// Thread: main.
    [[nodiscard]] static Result<std::unique_ptr<ControlServer>> start(
        const config::Control& config, Parts parts);
    /// Cancels streams, waits for calls under way, removes the socket. `control` and `verifier` must still run.
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

  private:
    struct Impl;
    explicit ControlServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::control
