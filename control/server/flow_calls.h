// SPDX-License-Identifier: BSD-3-Clause
// Flows as clients ask for and get them: requests checked, records put into words.
#pragma once

#include "control/proto/control.pb.h"
#include "control/registry/flow_name.h"
#include "control/watch/flow_watch.h"

#include <string>
#include <vector>

#include <grpcpp/support/status.h>

namespace weir::control {

/// INVALID_ARGUMENT names weirctl's option and the value; `slots`: names by index. Thread: any.
[[nodiscard]] grpc::Status filter_of(
    const v1::FlowFilter& wire, const std::vector<std::string>& slots, FlowFilter& out);
[[nodiscard]] grpc::Status query_of(
    const v1::ListFlowsRequest& wire, const std::vector<std::string>& slots, FlowQuery& out);

/// The flow that ExplainFlow asks for, and its other fields checked.
[[nodiscard]] grpc::Status explain_query_of(
    const v1::ExplainFlowRequest& wire, const std::vector<std::string>& slots, FlowName& out);

/// Thread: any.
void fill(
    const dataplane::FlowRecord& record,
    const std::vector<std::string>& slots,
    const ModelLabels& models,
    v1::Flow& out,
    const dataplane::OverrideSet* overrides = nullptr);

}  // namespace weir::control
