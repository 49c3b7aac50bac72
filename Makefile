# yolo: `make` builds ./yolo, `make help` lists the rest.
#
# Variants live side by side in build/<variant>/: release (default), asan, tsan, simde, fuzz.
CC      ?= gcc
VARIANT ?= release
BUILD   := build/$(VARIANT)$(if $(filter 1,$(MPI)),-mpi)
MACHINE := $(shell $(CC) -dumpmachine)
FONT    ?= /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
V       ?= 0
Q       := $(if $(filter 0,$(V)),@,)

WARN   := -Wall -Wextra -Wshadow -Wundef -Wvla -Wstrict-prototypes -Wmissing-prototypes \
          -Wdouble-promotion $(if $(WERROR),-Werror)
DEFS   := -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -DFONT_FILE='"$(FONT)"'
CFLAGS ?= -O3 -g
# No fused multiply-add behind our back: the scalar kernels are the reference for all others.
# The objects serve the program and the shared library alike.
PIC    := -fPIC -fno-semantic-interposition
ALL_CFLAGS = -std=c11 $(CFLAGS) -ffp-contract=off -fno-math-errno $(PIC) $(WARN) $(DEFS) $(OPENMP) -Isrc
LDLIBS := -lcjson -lyaml -ljpeg -lm -lpthread
# Only base/parallel.c has directives; the linker brings the run-time library.
OPENMP := -fopenmp

ifeq ($(VARIANT),asan)
CFLAGS := -O1 -g
ALL_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifeq ($(VARIANT),tsan) # with CC=clang, whose OpenMP tells of its synchronisation; scripts/tsan.sh
CFLAGS := -O1 -g
ALL_CFLAGS += -fsanitize=thread
endif

ifeq ($(VARIANT),fuzz) # with CC=clang; scripts/fuzz.sh
CFLAGS := -O1 -g
ALL_CFLAGS += -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_MAIN := -fsanitize=fuzzer
endif

EMULATES_AVX512 := 0
VNNI_FLAGS := -mavx512vnni
AVX512_FLAGS := -mfma -mavx512f -mavx512bw -mavx512dq -mavx512vl
ifeq ($(VARIANT),simde) # the AVX-512 kernels on a machine with AVX2, for tests; needs libsimde-dev
EMULATES_AVX512 := 1
AVX512_FLAGS := -mavx2 -mfma -w -Wno-psabi -include tests/tools/avx512_on_simde.h
VNNI_FLAGS :=
endif
DEFS += -DEMULATES_AVX512=$(EMULATES_AVX512)

# Each *_slots.c of the kernels is an object of its own for every instruction set: what isa.h says.
ISA_scalar      := -DISA=scalar -DISA_BITS=0 -DISA_VNNI=0
ISA_avx2        := -DISA=avx2 -DISA_BITS=256 -DISA_VNNI=0 -mavx2 -mfma
ISA_avx512      := -DISA=avx512 -DISA_BITS=512 -DISA_VNNI=0 $(AVX512_FLAGS)
ISA_avx2_vnni   := -DISA=avx2_vnni -DISA_BITS=256 -DISA_VNNI=1 -mavx2 -mfma -mavxvnni
ISA_avx512_vnni := -DISA=avx512_vnni -DISA_BITS=512 -DISA_VNNI=1 $(AVX512_FLAGS) $(VNNI_FLAGS)
SLOT_SOURCES := $(wildcard src/kernels/*_slots.c)
SOURCES := $(filter-out $(SLOT_SOURCES),$(wildcard src/*/*.c))
ISAS := scalar
# The kernels of an instruction set take clang minutes with sanitizers, and have tests of their own.
ifneq ($(and $(filter x86_64%,$(MACHINE)),$(filter-out fuzz tsan,$(VARIANT))),)
ISAS += avx2 avx512
ISAS_INT8 := avx2_vnni avx512_vnni
DEFS += -DHAVE_X86_KERNELS=1
else
DEFS += -DHAVE_X86_KERNELS=0
endif
# stb shifts and adds signed numbers past their ends; let it, and let UBSan look elsewhere.
$(BUILD)/src/data/stb.o:         ISA_FLAGS := -fwrapv -fno-sanitize=undefined
# Comparisons that cannot trap become selects, and the loop over colours becomes vectors; same values.
$(BUILD)/src/data/distort.o:     ISA_FLAGS := -fno-trapping-math

# ONNX files go through what protoc-c makes of the format's own description, which Debian's libonnx-dev brings. Without
# either (Ubuntu 22.04's libonnx-dev has no onnx.proto) the program is built without them, and says so.
ONNX_PROTO ?= /usr/include/onnx/onnx.proto
HAVE_ONNX := $(if $(and $(wildcard $(ONNX_PROTO)),$(shell command -v protoc-c 2>/dev/null)),1,0)
GENERATED := $(BUILD)/generated
DEFS += -DHAVE_ONNX=$(HAVE_ONNX)
ifeq ($(HAVE_ONNX),1)
SOURCES := $(filter-out src/exchange/without_onnx.c,$(SOURCES)) $(GENERATED)/onnx.pb-c.c
LDLIBS += -lprotobuf-c
ONNX_USERS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/exchange/onnx_*.c tests/unit/test_onnx*.c))
$(ONNX_USERS): ISA_FLAGS := -isystem $(GENERATED)
$(ONNX_USERS): | $(GENERATED)/onnx.pb-c.c
else
SOURCES := $(filter-out src/exchange/onnx_%,$(SOURCES))
WITHOUT := echo "  without ONNX: no protoc-c, or no $(ONNX_PROTO)"
endif

# Several processes train together through MPI: `make MPI=1`, in a folder of its own. MPICC: the compiler that knows it.
ifeq ($(MPI),1)
MPICC ?= mpicc
ifeq ($(shell command -v $(MPICC)),)
$(error MPI=1: no $(MPICC) here (scripts/setup.sh --mpi installs it))
endif
# Open MPI says its flags by one option, MPICH by another.
MPI_FLAGS := $(shell $(MPICC) --showme:compile 2>/dev/null || $(MPICC) -compile_info)
MPI_LIBS := $(shell $(MPICC) --showme:link 2>/dev/null || $(MPICC) -link_info)
$(BUILD)/src/base/ranks_mpi.o: ISA_FLAGS := $(filter -I%,$(MPI_FLAGS))
LDLIBS += $(filter -L% -l%,$(MPI_LIBS))
SOURCES := $(filter-out src/base/ranks_single.c,$(SOURCES))
else
SOURCES := $(filter-out src/base/ranks_mpi.c,$(SOURCES))
endif

OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(filter src/%,$(SOURCES))) $(patsubst %.c,%.o,$(filter $(BUILD)/%,$(SOURCES)))
OBJECTS += $(foreach isa,$(ISAS),$(SLOT_SOURCES:%.c=$(BUILD)/%.$(isa).o)) $(ISAS_INT8:%=$(BUILD)/src/kernels/int8_slots.%.o)
LIBRARY := $(BUILD)/libyolo.a
SHARED  := $(BUILD)/libyolo.so
MAIN    := $(BUILD)/src/cli/main.o
TESTS   := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*.c))
HELPERS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/helpers/*.c))
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_MAIN ?= $(BUILD)/tests/fuzz/replay.o

# Rules of single objects stand above.
.DEFAULT_GOAL := all
.PHONY: all tests fuzzers check asan lint fmt bench bench-conv help clean FORCE
all: yolo ## build ./yolo (default)

yolo: $(BUILD)/yolo
	$(Q)cp -f $< $@

# What was built with other flags or of other sources is built anew (a package has come since, CC or CFLAGS differ): each of
# the two files holds what it says, and is as old as that.
$(BUILD)/flags:   SAYS = $(filter-out -Werror,$(CC) $(ALL_CFLAGS))
$(BUILD)/sources: SAYS = $(SOURCES)
$(BUILD)/flags $(BUILD)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(SAYS))' | cmp -s - $@ || echo '$(subst ','\'',$(SAYS))' >$@
FORCE:

$(BUILD)/yolo: $(MAIN) $(LIBRARY)
	@echo "  LINK $@"
	@$(WITHOUT)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIBRARY): $(filter-out $(MAIN),$(OBJECTS)) $(BUILD)/sources
	@echo "  AR   $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

# What another program loads; `make tests` builds it for tests/helpers/host.c.
$(SHARED): $(filter-out $(MAIN),$(OBJECTS)) $(BUILD)/sources
	@echo "  LINK $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-Bsymbolic -o $@ $(filter %.o,$^) $(LDLIBS)

$(GENERATED)/onnx.pb-c.c: $(ONNX_PROTO) Makefile
	@echo "  PROTOC $<"
	@mkdir -p $(dir $@)
	$(Q)protoc-c --c_out=$(dir $@) --proto_path=$(dir $<) $< 2>$@.log || { cat $@.log >&2; exit 1; }

$(GENERATED)/%.o: $(GENERATED)/%.c $(BUILD)/flags
	@echo "  CC   $<"
	$(Q)$(CC) $(ALL_CFLAGS) -w -c -o $@ $<

define compile
	@echo "  CC   $(@:$(BUILD)/%.o=%)"
	@mkdir -p $(dir $@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ISA_FLAGS) -MMD -MP -c -o $@ $<
endef

$(BUILD)/%.o: %.c Makefile $(BUILD)/flags
	$(compile)

define compile_for # INSTRUCTION SET
$(BUILD)/src/kernels/%_slots.$(1).o: ISA_FLAGS := $(ISA_$(1))
$(BUILD)/src/kernels/%_slots.$(1).o: src/kernels/%_slots.c Makefile $(BUILD)/flags
	$$(compile)
endef
$(foreach isa,$(ISAS) $(ISAS_INT8),$(eval $(call compile_for,$(isa))))

$(BUILD)/src/report/font.o: $(wildcard $(FONT))

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(LIBRARY)
	@echo "  LINK $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Also where LDFLAGS are given.
$(BUILD)/tests/test_conv_cut: override LDFLAGS += -Wl,--wrap=parallel_for

$(BUILD)/tests/tools/%: $(BUILD)/tests/tools/%.o $(LIBRARY)
	@echo "  LINK $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(HELPERS): $(BUILD)/%: $(BUILD)/%.o
	@echo "  LINK $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $< -lm -ldl -lpthread

$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/fuzz.o $(filter %.o,$(FUZZ_MAIN)) $(LIBRARY)
	@echo "  LINK $@"
	@mkdir -p $(dir $@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(filter-out %.o,$(FUZZ_MAIN)) -o $@ $^ $(LDLIBS)

fuzzers: $(FUZZERS)

# Preloaded into whole commands: of no variant, and without the sanitizers' flags.
FAIL_SHIM := build/fail_shim.so
$(FAIL_SHIM): tests/tools/fail_shim.c Makefile
	@echo "  LINK $@"
	@mkdir -p $(dir $@)
	$(Q)$(CC) -std=c11 -O1 -g $(WARN) -fPIC -shared -o $@ $< -ldl

tests: $(TESTS) $(HELPERS) $(FUZZERS) $(FAIL_SHIM) $(SHARED) ## build the unit tests and what the others use

check: tests ## build and run the unit tests
	$(Q)scripts/run_unit_tests.sh $(BUILD)/tests

asan: ## build everything and run the unit tests under ASan and UBSan
	$(Q)$(MAKE) --no-print-directory VARIANT=asan WERROR=1 check build/asan/yolo

bench: yolo ## own figures, and PyTorch's where it is installed, in one run
	$(Q)scripts/bench.sh

bench-conv: $(BUILD)/tests/tools/bench_conv ## speed of the convolution engine by layer shape
	$(Q)$<

lint: ## floors, circles of includes, left-overs, format, shell scripts
	$(Q)scripts/lint.sh

fmt: ## format the sources with clang-format
	$(Q)clang-format -i $(wildcard src/*/*.[ch] tests/unit/*.[ch] tests/helpers/*.c tests/fuzz/*.[ch])

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z_-]*:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo "  Variables: VARIANT=release|asan|tsan  MPI=1  WERROR=1  V=1  CC=clang  FONT=/path/to.ttf"

clean: ## remove build/ and ./yolo
	$(Q)rm -rf build yolo

.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)
