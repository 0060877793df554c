// SPDX-License-Identifier: BSD-3-Clause
// A registry over a directory and a fake data plane.
#pragma once

#include "control/registry/registry.h"
#include "dataplane/features/catalog.h"
#include "fake_runtime.h"
#include "gateway_fixture.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace weir::control::test {

/// A registry over a directory that outlives it, so that a test can "restart".
class RegistryTest : public testing::Test {
  protected:
    void SetUp() override { config_ = dir_.config(); }

    /// Starts (again). Default models: anomaly "weir-anomaly" of `default_version`; none for qos.
    Result<void> try_start() {
        registry_.reset();
        ledger_.reset();
        runtime_ = std::make_unique<FakeRuntime>();
        warnings_.clear();
        auto store = ModelStore::open(config_.control.state_dir);
        if (!store) {
            return tl::unexpected(store.error());
        }
        store->on_step(at_);
        auto audit = AuditLog::open(config_.control.state_dir + "/audit.log");
        if (!audit) {
            return tl::unexpected(audit.error());
        }
        audit_ = std::move(*audit);
        kernels::Keyring builtin;
        builtin.add(builtin_key().public_key("builtin"));
        checker_ = std::make_shared<const BundleChecker>(
            config_.control.keyring,
            std::move(builtin),
            dataplane::catalog_view(),
            1u << 20,
            config_.control.sealing_keys);
        ledger_ = std::make_unique<VerdictLedger>(
            runtime_->workers(), std::vector<std::string>{"anomaly", "qos"});
        std::vector<kernels::Bytes> defaults;
        defaults.push_back(
            make_bundle({.name = "weir-anomaly", .version = default_version_}, builtin_key()));
        auto registry = ModelRegistry::recover(
            config_,
            {std::move(*store),
             checker_,
             std::move(defaults),
             runtime_->publisher(),
             *audit_,
             *ledger_,
             runtime_->workers(),
             at_,
             [this] { return boot_; }},
            warnings_);
        if (!registry) {
            return tl::unexpected(registry.error());
        }
        registry_ = std::move(*registry);
        return {};
    }
    void start() {
        const auto started = try_start();
        ASSERT_TRUE(started) << started.error().line();
    }

    Outcome<PushOutcome> push_bytes(const kernels::Bytes& bytes, PushOptions options = {}) {
        auto candidate = checker_->check(bytes, "push", "");
        if (!candidate) {
            return tl::unexpected(candidate.error());
        }
        return registry_->push(std::move(*candidate), options, actor_);
    }
    Outcome<PushOutcome> push(const BundleRecipe& recipe, PushOptions options = {}) {
        return push_bytes(make_bundle(recipe, operator_key()), options);
    }

    /// "name@version" of what workers would use, "" for none.
    [[nodiscard]] std::string in_snapshot(std::size_t slot) const {
        const auto& model = runtime_->publisher().current().slots.at(slot).active;
        return model ? model->name + "@" + std::to_string(model->version) : "";
    }
    [[nodiscard]] nlohmann::json last_audit() const {
        return nlohmann::json::parse(dir_.audit_lines().back());
    }

    GatewayDir dir_;
    config::Config config_;
    std::uint32_t default_version_ = 1;
    std::unique_ptr<FakeRuntime> runtime_;
    std::unique_ptr<AuditLog> audit_;
    std::shared_ptr<const BundleChecker> checker_;
    std::unique_ptr<VerdictLedger> ledger_;
    std::unique_ptr<ModelRegistry> registry_;
    std::vector<std::string> warnings_;
    std::function<void(std::string_view)> at_;  ///< told each step of a change
    BootTime boot_{"first", 1000.0};
    Actor actor_{.via = "socket", .uid = 1000, .gid = 1001, .pid = 42};
};

}  // namespace weir::control::test
