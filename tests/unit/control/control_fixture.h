// SPDX-License-Identifier: BSD-3-Clause
// A whole control plane over a fake data plane, and a client of its socket.
#pragma once

#include "control/control.h"
#include "fake_runtime.h"
#include "gateway_fixture.h"

#include <chrono>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace weir::control::test {

class ControlFixture : public testing::Test {
  protected:
    void SetUp() override {
        config_ = dir_.config();
        write_config();
    }

    /// weir.yaml of config_'s paths, with extra lines.
    void write_config(const std::string& extra = "") {
        const auto& c = config_;
        write_text(
            config_.file,
            "eal: {hugepages: \"off\"}\nworkers: {lcores: [1, 2]}\nports:\n"
            "  - {name: left, device: net_null0}\n  - {name: right, device: net_null1}\n"
            "pairs: [[left, right]]\n"
            "control: {socket: " +
                c.control.socket + ", keyring: " + c.control.keyring +
                ", state_dir: " + c.control.state_dir +
                ", max_bundle_mb: 1}\nmetrics: {listen: \"" + c.metrics.listen + "\"}\n" + extra);
    }

    Result<void> try_start() {
        ControlOptions options;
        options.version = "1.2.3-test";
        options.default_keys.add(builtin_key().public_key("builtin"));
        options.default_models.push_back(make_bundle({.name = "weir-anomaly"}, builtin_key()));
        options.on_flow_records = [this](std::span<const dataplane::FlowRecord> records) {
            records_ += records.size();
        };
        auto plane = ControlPlane::start(config_, runtime_, std::move(options));
        if (!plane) {
            return tl::unexpected(plane.error());
        }
        plane_ = std::move(*plane);
        return {};
    }
    void start() {
        const auto started = try_start();
        ASSERT_TRUE(started) << started.error().line();
    }

    [[nodiscard]] std::string in_snapshot(std::size_t slot) {
        const auto& model = runtime_.publisher().current().slots.at(slot).active;
        return model ? model->name + "@" + std::to_string(model->version) : "";
    }

    GatewayDir dir_;
    config::Config config_;
    FakeRuntime runtime_;
    std::atomic<std::size_t> records_{0};
    std::unique_ptr<ControlPlane> plane_;
};

}  // namespace weir::control::test
