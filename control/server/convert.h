// SPDX-License-Identifier: BSD-3-Clause
// From control's types to the wire's.
#pragma once

#include "control/gateway_view.h"
#include "control/proto/control.pb.h"
#include "control/registry/registry.h"

#include <string>

namespace weir::control {

void fill(const ModelInfo& info, v1::Model& out);
void fill(const PushOutcome& outcome, v1::PushModelReply& out);
void fill(const Activation& activation, v1::ActivateModelReply& out);
void fill(const ReloadReport& report, v1::ReloadReply& out);
void fill(const Override& override, v1::Override& out);
/// Counters and state as of now. Thread: any.
void fill_status(const GatewayView& view, const std::string& metrics_url, v1::Status& out);
void fill_ports(const GatewayView& view, google::protobuf::RepeatedPtrField<v1::Port>& out);

}  // namespace weir::control
