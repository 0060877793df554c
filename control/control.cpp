// SPDX-License-Identifier: BSD-3-Clause
#include "control/control.h"

#include "config/export.h"
#include "config/load.h"
#include "control/audit/audit.h"
#include "control/control_thread.h"
#include "control/export_switch.h"
#include "control/gateway_view.h"
#include "control/guard/guard.h"
#include "control/metrics/metrics.h"
#include "control/mirror/mirror_writer.h"
#include "control/pinned_scope.h"
#include "control/registry/registry.h"
#include "control/server/server.h"
#include "dataplane/features/catalog.h"

#include <chrono>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include <spdlog/spdlog.h>

namespace weir::control {

namespace {

using namespace std::chrono_literals;

constexpr auto kDrainPeriod = 20ms;
constexpr auto kRefreshPeriod = 1s;
constexpr auto kJudgePeriod = 250ms;
constexpr std::chrono::milliseconds kHostsPeriod{100};
constexpr std::size_t kDrainRecords = 1024;
/// Of one turn, so that requests are not kept waiting by a flood of records.
constexpr int kDrainRounds = 64;

std::map<std::string, double> budgets(const config::Config& config) {
    std::map<std::string, double> by_slot;
    for (const auto& slot : config.slots) {
        by_slot[slot.name] = slot.max_cycles_per_row;
    }
    return by_slot;
}

std::vector<std::string> slot_names(const config::Config& config) {
    std::vector<std::string> names;
    for (const auto& slot : config.slots) {
        names.push_back(slot.name);
    }
    return names;
}

}  // namespace

/// Members in order of making; what uses others goes first.
struct ControlPlane::Impl {
    Impl(dataplane::Runtime& data_plane, ControlOptions given)
        : runtime(data_plane), options(std::move(given)), records(kDrainRecords) {}

    [[nodiscard]] Result<void> open_models(config::Config config);
    [[nodiscard]] Result<void> open_doors();
    void refresh();
    void drain(int rounds);
    void tell_stats();
    void tick();
    void judge();
    [[nodiscard]] tl::expected<ReloadReport, std::vector<Error>> reload(
        const Actor& actor, bool dry_run);

    dataplane::Runtime& runtime;
    ControlOptions options;
    std::vector<dataplane::FlowRecord> records;
    std::vector<std::string> warnings;
    bool reload_ok = true;
    std::int64_t reload_ok_unix = unix_now();

    std::unique_ptr<AuditLog> audit;
    std::unique_ptr<VerdictLedger> ledger;
    std::shared_ptr<const BundleChecker> checker;
    std::unique_ptr<ModelRegistry> registry;
    std::shared_ptr<Access> access;
    PolicyWindow window;
    std::unique_ptr<Guard> guard;
    std::vector<Breaches> breaches;
    std::unique_ptr<GatewayView> view;
    ExportTotals export_totals;
    ExportSwitch exports{export_totals};
    std::unique_ptr<MirrorWriter> mirror;  ///< null: no file gets copies
    std::unique_ptr<FlowWatch> flows;
    std::unique_ptr<MetricsServer> metrics;
    std::unique_ptr<ControlThread> control;
    std::unique_ptr<ControlThread> verifier;
    std::unique_ptr<ControlServer> server;
};

Result<void> ControlPlane::Impl::open_models(config::Config config) {
    auto store = ModelStore::open(config.control.state_dir);
    if (!store) {
        return tl::unexpected(std::move(store.error()));
    }
    auto log = AuditLog::open(
        store->dir() + "/audit.log",
        {std::uint64_t{config.control.audit_max_mb} << 20, config.control.audit_keep});
    if (!log) {
        return tl::unexpected(std::move(log.error()));
    }
    audit = std::move(*log);
    checker = std::make_shared<const BundleChecker>(
        config.control.keyring,
        std::move(options.default_keys),
        dataplane::catalog_view(),
        std::size_t{config.control.max_bundle_mb} << 20,
        config.control.sealing_keys,
        config.features);
    checker->set_budgets(budgets(config));
    ledger = std::make_unique<VerdictLedger>(runtime.workers(), slot_names(config));
    auto recovered = ModelRegistry::recover(
        std::move(config),
        {std::move(*store),
         checker,
         std::move(options.default_models),
         runtime.publisher(),
         *audit,
         *ledger,
         runtime.workers()},
        warnings);
    if (!recovered) {
        return tl::unexpected(std::move(recovered.error()));
    }
    registry = std::move(*recovered);
    access = std::make_shared<Access>(registry->config().control);
    guard = std::make_unique<Guard>(runtime.workers(), runtime.tsc_hz());
    breaches.resize(registry->config().slots.size());
    view = std::make_unique<GatewayView>(
        GatewayView::Fixed{options.version, runtime.workers(), runtime.tsc_hz()}, *ledger);
    flows = std::make_unique<FlowWatch>(runtime, slot_names(registry->config()));
    refresh();
    return {};
}

Result<void> ControlPlane::Impl::open_doors() {
    const auto& config = registry->config();
    const auto cpus = options.cpus.empty() ? cpus_without(config.workers.lcores) : options.cpus;
    const PinnedScope pinned(cpus);
    if (auto opened = exports.open(options.exports, slot_names(config)); !opened) {
        return opened;
    }
    if (!config.policy.mirror.file.empty()) {
        auto started = MirrorWriter::start(
            config.policy.mirror,
            slot_names(config),
            runtime,
            export_totals[static_cast<std::size_t>(ExportTarget::mirror)]);
        if (!started) {
            return tl::unexpected(std::move(started.error()));
        }
        mirror = std::move(*started);
        mirror->learn(runtime.publisher().current());
    }
    if (!config.metrics.listen.empty()) {
        auto exposed = MetricsServer::start(config.metrics.listen, *view, &export_totals);
        if (!exposed) {
            return tl::unexpected(std::move(exposed.error()));
        }
        metrics = std::move(*exposed);
    }
    control = std::make_unique<ControlThread>(ControlThread::Options{
        .name = "weir-control",
        .cpus = cpus,
        .periodic = {
            {kDrainPeriod,
             [this] {
                 drain(kDrainRounds);
                 flows->turn(FlowWatch::Clock::now());
             }},
            {kHostsPeriod, [this] { runtime.exchange_hosts(); }},
            {kJudgePeriod, [this] { judge(); }},
            {kRefreshPeriod, [this] { tick(); }}}});
    verifier = std::make_unique<ControlThread>(ControlThread::Options{
        .name = "weir-verify", .cpus = cpus, .queue_capacity = 16, .periodic = {}});
    auto serving = ControlServer::start(
        config.control,
        {*control,
         *verifier,
         *registry,
         checker,
         *view,
         metrics ? metrics->url() : "",
         [this] { refresh(); },
         [this](const Actor& actor, bool dry_run) { return reload(actor, dry_run); },
         access,
         &window,
         flows.get()});
    if (!serving) {
        return tl::unexpected(std::move(serving.error()));
    }
    server = std::move(*serving);
    return {};
}

void ControlPlane::Impl::tell_stats() {
    const auto now = static_cast<std::uint64_t>(unix_now());
    auto* exporter = exports.get();
    if (exporter == nullptr || !exporter->stats_due(now)) {
        return;
    }
    constexpr std::uint64_t kNsPerS = 1'000'000'000;
    std::vector<const dataplane::WorkerStats*> workers;
    for (const auto& worker : runtime.workers()) {
        workers.push_back(worker.stats);
    }
    exporter->add_stats(sample_stats(
        workers,
        slot_names(registry->config()),
        now * kNsPerS,
        now - static_cast<std::uint64_t>(view->start_unix())));
}

void ControlPlane::Impl::refresh() {
    ViewState state;
    state.config_file = registry->config().file;
    state.generation = runtime.publisher().current().generation;
    state.snapshots = runtime.publisher().swaps();
    state.ports = runtime.ports();
    state.distributor = runtime.distributor();
    state.slots = slot_names(registry->config());
    state.active = registry->active();
    state.swaps = registry->swaps();
    state.use = registry->use();
    state.breaches = breaches;
    state.audit_failures = audit->failures();
    state.tail_losses = flows->losses();
    state.overrides = registry->overrides();
    state.reload_ok = reload_ok;
    state.reload_ok_unix = reload_ok_unix;
    view->update(std::move(state));
}

void ControlPlane::Impl::tick() {
    (void)registry->tick(ModelRegistry::Clock::now());
    refresh();
    tell_stats();
}

/// Guardrails: each broken one rolls its model back.
void ControlPlane::Impl::judge() {
    const auto broken = guard->judge(registry->config(), registry->use(), Guard::Clock::now());
    for (const auto& breach : broken) {
        auto& told = breaches.at(breach.slot);
        ++told.count;
        told.last = breach.key.label() + ": " + breach.why;
        (void)registry->breach(breach.key, breach.why);
    }
    if (!broken.empty()) {
        refresh();
    }
}

void ControlPlane::Impl::drain(int rounds) {
    if (mirror) {
        mirror->learn(runtime.publisher().current());
    }
    for (int round = 0; round < rounds; ++round) {
        const auto n = runtime.drain_events(records);
        window.add(std::span(records).first(n), PolicyWindow::Clock::now());
        if (auto* exporter = exports.get()) {
            exporter->learn(runtime.publisher().current());
            exporter->add(std::span(records).first(n));
        }
        if (n > 0 && options.on_flow_records) {
            options.on_flow_records(std::span(records).first(n));
        }
        if (n < records.size()) {
            return;
        }
    }
}

tl::expected<ReloadReport, std::vector<Error>> ControlPlane::Impl::reload(
    const Actor& actor, bool dry_run) {
    if (dry_run) {
        const auto next = config::load_file(registry->config().file);
        if (!next) {
            return tl::unexpected(next.error());
        }
        return registry->preview_config(*next);
    }
    auto report = [&]() -> tl::expected<ReloadReport, std::vector<Error>> {
        const auto next = config::load_file(registry->config().file);
        if (!next) {
            for (const auto& error : next.error()) {
                audit->append({actor, "reload", "", "", "", "refused", error.line()});
            }
            return tl::unexpected(next.error());
        }
        const auto wanted = config::load_export(registry->config().file);
        if (!wanted) {
            return tl::unexpected(wanted.error());
        }
        auto applied = registry->apply_config(*next, actor);
        if (applied) {
            exports.follow(*wanted, slot_names(registry->config()), *applied);
            if (mirror) {
                mirror->reopen();
            }
        }
        return applied;
    }();
    reload_ok = report.has_value();
    if (reload_ok) {
        reload_ok_unix = unix_now();
        spdlog::set_level(spdlog::level::from_str(registry->config().log.level));
        access->set(registry->config().control);
        checker->set_budgets(budgets(registry->config()));
    }
    refresh();
    return report;
}

Result<std::unique_ptr<ControlPlane>> ControlPlane::start(
    config::Config config, dataplane::Runtime& runtime, ControlOptions options) {
    auto impl = std::make_unique<Impl>(runtime, std::move(options));
    if (auto opened = impl->open_models(std::move(config)); !opened) {
        return tl::unexpected(std::move(opened.error()));
    }
    auto plane = std::unique_ptr<ControlPlane>(new ControlPlane(std::move(impl)));
    if (auto opened = plane->impl_->open_doors(); !opened) {
        return tl::unexpected(std::move(opened.error()));
    }
    return plane;
}

ControlPlane::ControlPlane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ControlPlane::~ControlPlane() {
    stop();
}

void ControlPlane::stop() {
    impl_->server.reset();  // its calls may still need the threads below
    if (impl_->verifier) {
        impl_->verifier->stop();
    }
    if (impl_->control) {
        impl_->control->stop();
    }
    // The rings' reader is gone: what is left is ours to take.
    impl_->drain(std::numeric_limits<int>::max());
    impl_->exports.close();
    impl_->mirror.reset();
    impl_->metrics.reset();
}

tl::expected<ReloadReport, std::vector<Error>> ControlPlane::reload() {
    const auto stopped = [] {
        return tl::unexpected(std::vector<Error>{{"control", "", "is stopping", ""}});
    };
    if (!impl_->control) {
        return stopped();
    }
    auto report =
        impl_->control->call([this] { return impl_->reload(Actor{.via = "signal"}, false); });
    if (!report) {
        return stopped();
    }
    return std::move(*report);
}

const std::vector<std::string>& ControlPlane::warnings() const noexcept {
    return impl_->warnings;
}

std::string ControlPlane::metrics_url() const {
    return impl_->metrics ? impl_->metrics->url() : std::string();
}

}  // namespace weir::control
