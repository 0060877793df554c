// SPDX-License-Identifier: BSD-3-Clause
// weir run: the gateway, from configuration to summary.
#include "config/export.h"
#include "config/load.h"
#include "control/app/commands.h"
#include "control/app/embedded.h"
#include "control/app/privileges.h"
#include "control/app/version.h"
#include "control/control.h"
#include "control/control_thread.h"
#include "dataplane/eal.h"
#include "dataplane/gateway.h"

#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace weir::app {

namespace {

[[nodiscard]] sigset_t handled_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
        sigaddset(&set, signal);
    }
    return set;
}

// A refusal that points into the configuration is bad input; anything else is the machine's.
[[nodiscard]] Exit refuse(Error error, const config::Config& config) {
    if (error.where.empty()) {
        error.where = config.file;
    }
    return report(error, error.field.empty() ? Exit::failed : Exit::bad_input);
}

[[nodiscard]] dataplane::EalOptions eal_options(const config::Config& config) {
    dataplane::EalOptions options;
    options.eal = config.eal;
    options.worker_lcores = config.workers.lcores;
    for (const config::Port& port : config.ports) {
        if (dataplane::is_pci_address(port.device)) {
            options.pci = true;
            options.pci_devices.push_back(port.device);
        }
    }
    return options;
}

void reload(control::ControlPlane& control) {
    const auto report = control.reload();
    if (!report) {
        for (const Error& error : report.error()) {
            spdlog::error("reload refused: {}", error.line());
        }
        return;
    }
    for (const std::string& line : report->applied) {
        spdlog::info("reload: {}", line);
    }
    for (const std::string& line : report->needs_restart) {
        spdlog::warn("reload: needs a restart: {}", line);
    }
    for (const std::string& line : report->warnings) {
        spdlog::warn("reload: {}", line);
    }
    spdlog::info("reload done");
}

void wait_for_the_end(control::ControlPlane& control) {
    const sigset_t set = handled_signals();
    for (;;) {
        int signal = 0;
        if (sigwait(&set, &signal) != 0) {
            continue;
        }
        if (signal != SIGHUP) {
            spdlog::info("{}: draining", strsignal(signal));
            return;
        }
        reload(control);
    }
}

void print_summary(const dataplane::Totals& totals, std::uint64_t swaps) {
    std::printf(
        "packets in %" PRIu64 " = out %" PRIu64 " + dropped %" PRIu64 "%s\n",
        totals.rx_packets,
        totals.tx_packets,
        totals.dropped(),
        totals.conserved() ? "" : "  NOT CONSERVED");
    for (std::size_t r = 0; r < dataplane::kDropReasons; ++r) {
        if (totals.drops[r] != 0) {
            std::printf(
                "  dropped %-18s %" PRIu64 "\n",
                std::string(dataplane::kDropReasonTable[r].name).c_str(),
                totals.drops[r]);
        }
    }
    std::printf(
        "bytes in %" PRIu64 ", out %" PRIu64 "; packets marked %" PRIu64 "; model swaps %" PRIu64
        "\n",
        totals.rx_bytes,
        totals.tx_bytes,
        totals.marked,
        swaps);
    std::fflush(stdout);
}

[[nodiscard]] Exit run_gateway(
    const config::Config& config,
    dataplane::Gateway& gateway,
    const config::Export& exports,
    std::vector<std::uint32_t> control_cpus) {
    hide_memory();
    control::ControlOptions options;
    options.version = kVersion;
    options.default_models = embedded_models();
    options.default_keys = embedded_keys();
    options.cpus = std::move(control_cpus);
    options.exports = exports;
    auto control = control::ControlPlane::start(config, gateway, std::move(options));
    if (!control) {
        return refuse(control.error(), config);
    }
    for (const std::string& warning : (*control)->warnings()) {
        spdlog::warn("{}", warning);
    }
    for (const std::string& note : gateway.notes()) {
        spdlog::warn("{}", note);
    }
    if (auto ok = gateway.start(); !ok) {
        return refuse(ok.error(), config);
    }
    const auto& user = config.control.run_as;
    const auto gave_up = give_up_root(user, config.control.state_dir);
    if (!gave_up) {
        gateway.stop_workers();
        return refuse(gave_up.error(), config);
    }
    if (*gave_up) {
        spdlog::info("root given up: every thread runs as {} without capabilities", user);
    } else if (!user.empty()) {
        spdlog::warn("control.run_as: not started by root, so weir stays who it is");
    }
    spdlog::info(
        "forwarding on {} worker(s); control {}; metrics {}",
        config.workers.lcores.size(),
        config.control.socket,
        (*control)->metrics_url().empty() ? "off" : (*control)->metrics_url());
    wait_for_the_end(**control);
    gateway.stop_workers();
    (*control)->stop();
    const dataplane::Totals totals = gateway.totals();
    print_summary(totals, gateway.publisher().swaps());
    return totals.conserved() ? Exit::ok : Exit::failed;
}

[[nodiscard]] Exit run_command(const std::string& path) {
    const auto config = config::load_file(path);
    if (!config) {
        return report(config.error());
    }
    const auto exports = config::load_export(path);
    if (!exports) {
        return report(exports.error());
    }
    spdlog::set_default_logger(spdlog::stderr_logger_mt("weir"));
    spdlog::set_level(spdlog::level::from_str(config->log.level));
    forgo_more();
    // Before any thread exists, so that all inherit it: only wait_for_the_end() sees these.
    const sigset_t set = handled_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::vector<std::uint32_t> polling = config->workers.lcores;
    const std::vector<std::uint32_t> beside_workers = control::cpus_without(polling);
    polling.push_back(config->workers.distributor_lcore);
    const std::vector<std::uint32_t> beside_all = control::cpus_without(polling);
    if (auto ok = dataplane::start_eal(eal_options(*config)); !ok) {
        return refuse(ok.error(), *config);
    }
    Exit exit = Exit::ok;
    {
        auto gateway = dataplane::Gateway::create(*config);
        if (!gateway) {
            exit = refuse(gateway.error(), *config);
        } else {
            const bool distributes = (*gateway)->distributor().has_value() && !beside_all.empty();
            exit = run_gateway(
                *config, **gateway, *exports, distributes ? beside_all : beside_workers);
        }
    }
    dataplane::stop_eal();
    return exit;
}

}  // namespace

void add_run(CLI::App& app, Exit& exit) {
    auto path = std::make_shared<std::string>("/etc/weir/weir.yaml");
    CLI::App* command = app.add_subcommand("run", "Run the gateway until SIGTERM; SIGHUP reloads");
    command->add_option("-c,--config", *path, "Configuration")->capture_default_str();
    command->callback([path, &exit] { exit = run_command(*path); });
}

}  // namespace weir::app
