// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/embedded.h"

#include <cstring>
#include <string_view>

#include <sodium.h>

// Laid into the program by embedded_data.S.
extern "C" {
extern const std::byte weir_model_anomaly[];
extern const std::byte weir_model_anomaly_end[];
extern const std::byte weir_model_qos[];
extern const std::byte weir_model_qos_end[];
extern const char weir_default_key[];
extern const char weir_default_key_end[];
}

namespace weir::app {

std::vector<kernels::Bytes> embedded_models() {
    std::vector<kernels::Bytes> models;
    models.emplace_back(weir_model_anomaly, weir_model_anomaly_end);
    models.emplace_back(weir_model_qos, weir_model_qos_end);
    // A build from a tree whose models are being made anew may hold none.
    std::erase_if(models, [](const kernels::Bytes& bytes) { return bytes.empty(); });
    return models;
}

kernels::Keyring embedded_keys() {
    kernels::Keyring keys;
    std::string_view text(
        weir_default_key, static_cast<std::size_t>(weir_default_key_end - weir_default_key));
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        kernels::PublicKey key;
        key.name = "weir-default";
        std::size_t size = 0;
        if (!line.empty() && line.front() != '#' &&
            sodium_base642bin(
                key.bytes.data(),
                key.bytes.size(),
                line.data(),
                line.size(),
                " \r",
                &size,
                nullptr,
                sodium_base64_VARIANT_ORIGINAL) == 0 &&
            size == key.bytes.size()) {
            keys.add(key);
        }
    }
    return keys;
}

}  // namespace weir::app
