# SPDX-License-Identifier: BSD-3-Clause
# The files named here are found through the assembler's include path: config/models.
.section .rodata
.macro weir_embed name, file
.globl \name
.globl \name\()_end
.balign 16
\name:
.incbin "\file"
\name\()_end:
.byte 0
.endm

weir_embed weir_model_anomaly, anomaly.weir
weir_embed weir_model_qos, qos.weir
weir_embed weir_default_key, weir-default.pub

.section .note.GNU-stack, "", %progbits
