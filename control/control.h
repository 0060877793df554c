// SPDX-License-Identifier: BSD-3-Clause
// The control plane behind one door: models, the control socket, metrics and audit of a running gateway.
#pragma once

#include "config/config.h"
#include "config/error.h"
#include "config/export.h"
#include "control/registry/report.h"
#include "dataplane/events.h"
#include "dataplane/runtime.h"
#include "kernels/model/verify.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weir::control {

/// What the gateway gives its control plane beside the configuration.
struct ControlOptions {
    /// The program's, for weir_build_info and status.
    std::string version;
    /// Bundles embedded in the program, at most one a slot.
    std::vector<kernels::Bytes> default_models;
    /// The keys that default_models, and nothing else, may be signed by.
    kernels::Keyring default_keys;
    /// Where control's threads may run: cpus_without(workers' lcores), called before rte_eal_init. Empty: the same
    /// as of start(), which after EAL is the main lcore only.
    std::vector<std::uint32_t> cpus;
    /// Where events go, until a reload says otherwise.
    config::Export exports;
    /// Gets every flow record the workers wrote, in batches, on the control thread. May be empty.
    std::function<void(std::span<const dataplane::FlowRecord>)> on_flow_records;
};

/// Thread: start(), reload() and stop() from one thread (main); never from a worker or from a callback.
class ControlPlane {
  public:
    /// Loads every slot's model (the last active one, else what the configuration names, else the default), publishes
    /// the first snapshot, opens the control socket and the metrics listener, and starts its threads. Workers may
    /// start before or after; started after, their first packet meets the models. `runtime` must outlive the result;
    /// its Publisher is written by this control plane alone from here on.
    /// Fails, with nothing left behind, if the socket or the listener cannot be had, or if a bundle *file* that the
    /// configuration names does not verify. A stored model that no longer verifies is not an error: see warnings().
    [[nodiscard]] static Result<std::unique_ptr<ControlPlane>> start(
        config::Config config, dataplane::Runtime& runtime, ControlOptions options);

    /// stop()s.
    ~ControlPlane();
    ControlPlane(const ControlPlane&) = delete;
    ControlPlane& operator=(const ControlPlane&) = delete;

    /// Closes socket and listener, finishes what was queued, takes what is left of the flow records. Workers go on
    /// with the last snapshot. Stop the workers first to have the records of their last flows, too. Idempotent.
    void stop();

    /// SIGHUP: reads the configuration's file again, applies what can be hot, names what needs a restart. On any
    /// error nothing at all has changed.
    [[nodiscard]] tl::expected<ReloadReport, std::vector<Error>> reload();

    /// What start() had to work around, one line each.
    [[nodiscard]] const std::vector<std::string>& warnings() const noexcept;
    /// "http://127.0.0.1:9464/metrics" with the port in use; empty if metrics are off.
    [[nodiscard]] std::string metrics_url() const;

  private:
    struct Impl;
    explicit ControlPlane(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::control
