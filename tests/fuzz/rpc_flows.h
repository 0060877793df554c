// SPDX-License-Identifier: BSD-3-Clause
// The calls about live flows, as the rpc fuzzer makes them.
#pragma once

#include "control/registry/registry.h"
#include "control/watch/flow_watch.h"
#include "tests/unit/control/fake_runtime.h"

#include <string>
#include <string_view>
#include <vector>

#include <grpcpp/support/status.h>

namespace weir::fuzz {

/// A watch over two flows of its own making: one that slot anomaly calls a scan, one undecided.
class FlowCalls {
  public:
    FlowCalls(control::test::FakeRuntime& runtime, std::vector<std::string> slots);

    [[nodiscard]] control::FlowWatch& watch() noexcept { return watch_; }
    /// OK, too, where `message` is none.
    [[nodiscard]] grpc::Status tail(std::string_view message);
    [[nodiscard]] grpc::Status list(std::string_view message);
    /// As ExplainFlow, its steps one after another and without waiting.
    [[nodiscard]] grpc::Status explain(
        std::string_view message, const control::ModelRegistry& registry);

  private:
    control::test::FakeRuntime& runtime_;
    control::FlowWatch watch_;
    dataplane::FlowRecord undecided_;
    dataplane::FlowRecord scan_;
};

}  // namespace weir::fuzz
