/* In four steps, of which the first two go the pictures' way through the fp32 network, which keeps all outputs:
 *
 *   ranges       the distribution and the mean of every channel
 *   sensitivity  for a few pictures every output alone is rounded to bytes, then every convolution alone done on bytes,
 *                in place of its fp32 output, and the layers behind it run again. From the last to the first, so that
 *                what lies before is as it was.
 *   choice       convolutions stay fp32, singly or a few in a row, where that takes away most error for its work, as
 *                long as it is little work. A row matters: an output stays unrounded only where both its maker and
 *                its readers are fp32.
 *   biases       the network on bytes, layer by layer: what the mean of a filter before its activation has lost, by
 *                rounded weights and all that happened before, is added to its bias (as Nagel et al. 2019,
 *                arXiv:1906.04721, section 4.2)
 *
 * Steps differ by channel: between what the channel's own range would take and what the whole output's would, nearer to
 * its own (as Xiao et al. 2022, arXiv:2211.10438, share the difficulty between activations and weights). */
#include "run/quantize.h"

#include <math.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "data/data_source.h"
#include "data/dataset.h"
#include "kernels/int8_ops.h"
#include "layers/conv_unit.h"
#include "layers/int8_unit.h"
#include "layers/kinds.h"
#include "run/bench.h"
#include "run/histogram.h"

/* Pictures whose heads are compared; convolutions in a row that are tried together. */
enum { SENSITIVITY_PICTURES = 8, BIAS_PICTURES = 8, MAX_ROW = 4 };
/* Work that may stay fp32 for accuracy's sake; how many times its share of the work such a row has of the error. */
static const double SENSITIVE_WORK = 0.10, SENSITIVE_GAIN = 3.0;
/* Of a channel's own range against the whole output's, in the step. */
static const double OWN_SHARE = 0.6;

const char *const quantize_reasons[] = {
    [QUANTIZE_INT8] = "int8",         [QUANTIZE_FIRST] = "fp32: first",
    [QUANTIZE_HEAD] = "fp32: head",   [QUANTIZE_SENSITIVE] = "fp32: sensitive",
    [QUANTIZE_CANNOT] = "fp32: kind",
};

/* What was met in an output. */
struct met {
    struct histogram *channels; /* [channels], of an output that may become bytes */
    double *sums;               /* [channels], over the pictures that biases are found on */
    double pixels;              /* of those */
    double error;               /* that its rounding makes of what the heads get: squares */
};

struct job {
    struct model *model;
    const struct quantize_options *o;
    struct quantized *found;
    struct dataset set;
    struct plan *plan;
    struct met *met;          /* [layers] */
    bool *is_int8;            /* [layers] */
    enum quant_role *roles;   /* [layers], and */
    bool *rounded;            /* [layers] follow from it */
    float **wanted;           /* [layers]: what goes into heads, of the picture at hand */
    void *prepared, *scratch; /* of one layer on bytes */
    uint8_t *in_bytes, *out_bytes;
    size_t bias_pictures[BIAS_PICTURES], bias_count; /* numbers of pictures that could be read */
    bool is_for_bias;                                /* the picture at hand is one of them */
};

/* ---- pictures ---- */

static enum result open_pictures(struct job *job, struct error *err)
{
    struct dataset_source source = {.images = job->o->images};
    struct data_file file;
    enum result result = data_source_train(job->o->data, &file, &source.path, err);
    if (result == OK) {
        result = images_act(source.images, source.path, NULL, err);
    }
    if (result == OK) {
        bool is_plain = !dataset_is_coco(source.path) && !data_has_parts(source.path);
        source.kind = is_plain ? DATASET_PICTURES : DATASET_BOXES;
        result = dataset_open(&source, &job->set, err);
    }
    data_file_free(&file);
    return result;
}

static size_t picture_count(const struct job *job)
{
    size_t wanted = (size_t)job->o->pictures;
    return wanted < job->set.sample_count ? wanted : job->set.sample_count;
}

/* Picture `number` of those to calibrate on, as image n of the input. */
static enum result load(const struct job *job, const struct plan *plan, size_t number, int n,
                        struct error *err)
{
    const char *path =
        job->set.samples[number * job->set.sample_count / picture_count(job)].image_path;
    struct image image = {0};
    struct image_fit fit;
    TRY(image_read(path, &image, err));
    enum result result = image_to_input(&image, infer_way(job->o->fit, &job->model->net),
                                        plan_input(plan), n, &fit, err);
    image_free(&image);
    return result;
}

/* ---- ranges ---- */

static void measure_layer(void *ctx, size_t layer, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct tensor *t = plan_output(job->plan, (int)layer);
    struct met *met = &job->met[layer];
    size_t pixels = tensor_pixels(t);
    if (met->channels) {
        histogram_add(met->channels, t);
    }
    for (size_t p = 0; job->is_for_bias && p < pixels; p++) {
        const float *values = t->data + p * t->stride;
        for (int c = 0; c < t->c; c++) {
            met->sums[c] += (double)values[c];
        }
    }
    met->pixels += job->is_for_bias ? (double)pixels : 0.0;
}

static bool is_for_bias(const struct job *job, size_t number)
{
    size_t count = picture_count(job);
    size_t wanted = count < BIAS_PICTURES ? count : BIAS_PICTURES;
    return job->bias_count < wanted && number >= job->bias_count * count / wanted;
}

static enum result measure_ranges(struct job *job, struct error *err)
{
    struct progress progress;
    size_t count = picture_count(job), failures = 0;
    progress_begin(&progress, "ranges", count);
    for (size_t i = 0; i < count; i++) {
        struct error why;
        if (interrupt_pending()) {
            progress_end();
            return error_set(err, ERR_INTERRUPTED, "interrupted after %zu of %zu pictures", i,
                             count);
        }
        if (load(job, job->plan, i, 0, &why) != OK) {
            log_error("%s", why.text);
            failures++;
            continue;
        }
        job->is_for_bias = is_for_bias(job, i);
        if (job->is_for_bias) {
            job->bias_pictures[job->bias_count++] = i;
        }
        plan_forward(job->plan, 1);
        parallel_for((size_t)job->model->net.layer_count, measure_layer, job);
        progress_step(&progress, i + 1);
    }
    progress_end();
    job->found->failures = failures;
    job->found->quant.pictures = (int)(count - failures);
    return failures < count ? OK
                            : error_at(err, ERR_IO, job->o->data, 0,
                                       "none of the %zu pictures could be read", count);
}

/* What a channel does not need of 255 steps is left around its range, in the proportion of the whole one. */
static void choose_channel(double first, double last, double low, double high, float *step,
                           uint8_t *zero)
{
    double whole = high - low > 1e-6 ? high - low : 1e-6;
    double own = last - first > 1e-4 * whole ? last - first : 1e-4 * whole;
    double spanned = pow(own, OWN_SHARE) * pow(whole, 1 - OWN_SHARE);
    double below = -first + (spanned - (last - first)) * -low / whole;
    double place = below * 255 / spanned;
    *step = (float)(spanned / 255);
    *zero = (uint8_t)lrint(place < 0 ? 0 : place > 255 ? 255 : place);
}

static void choose_channels(void *ctx, size_t layer, int thread)
{
    (void)thread;
    const struct job *job = ctx;
    const struct histogram *channels = job->met[layer].channels;
    const struct quant_layer *l = &job->found->quant.layers[layer];
    double low = 0, high = 0, first, last;
    for (int c = 0; channels && c < l->channels; c++) {
        histogram_range(&channels[c], &first, &last);
        low = first < low ? first : low;
        high = last > high ? last : high;
    }
    for (int c = 0; channels && c < l->channels; c++) {
        histogram_range(&channels[c], &first, &last);
        choose_channel(first, last, low, high, &l->steps[c], &l->zeros[c]);
    }
}

static void find_roles(struct job *job)
{
    const struct network *net = &job->model->net;
    quant_find_roles(net, job->is_int8, job->roles);
    quant_find_rounded(net, job->roles, job->rounded);
}

/* Steps and zeros of all outputs that can be bytes. */
static enum result choose_scales(struct job *job, struct error *err)
{
    const struct network *net = &job->model->net;
    struct quantization *q = &job->found->quant;
    for (int i = 0; i < net->layer_count; i++) {
        bool has_biases = net->layers[i].ops == &convolutional_ops;
        if (job->rounded[i] || has_biases) {
            TRY(quant_need_channels(&q->layers[i], net->layers[i].out.c, err));
        }
    }
    parallel_for((size_t)net->layer_count, choose_channels, job);
    return quant_hand_on(q, net, job->roles, err);
}

/* ---- sensitivity ---- */

static bool feeds_head(const struct network *net, int layer)
{
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (l->ops->head && l->inputs[0] == layer) {
            return true;
        }
    }
    return false;
}

/* Outputs by which networks are compared: what heads get, else the last layer's. */
static bool is_compared(const struct network *net, int layer)
{
    return network_head_count(net) > 0 ? feeds_head(net, layer) : layer == net->layer_count - 1;
}

static enum result keep_wanted(struct job *job, struct error *err)
{
    const struct network *net = &job->model->net;
    for (int i = 0; i < net->layer_count; i++) {
        const struct tensor *t = plan_output(job->plan, i);
        size_t pixels = tensor_pixels(t), channels = (size_t)t->c;
        if (!is_compared(net, i)) {
            continue;
        }
        if (!job->wanted[i]) {
            job->wanted[i] = mem_alloc(pixels * channels, sizeof(float));
        }
        if (!job->wanted[i]) {
            return mem_error(err, "outputs");
        }
        for (size_t p = 0; p < pixels; p++) {
            memcpy(job->wanted[i] + p * channels, t->data + p * t->stride,
                   channels * sizeof(float));
        }
    }
    return OK;
}

static double found_error(const struct job *job)
{
    double error = 0, whole = 0;
    for (int i = 0; i < job->model->net.layer_count; i++) {
        const struct tensor *t = plan_output(job->plan, i);
        for (size_t p = 0; job->wanted[i] && p < tensor_pixels(t); p++) {
            for (size_t c = 0; c < (size_t)t->c; c++) {
                double wanted = (double)job->wanted[i][p * (size_t)t->c + c];
                double difference = (double)t->data[p * t->stride + c] - wanted;
                error += difference * difference;
                whole += wanted * wanted;
            }
        }
    }
    return whole > 0 ? error / whole : 0;
}

static struct int8_tensor bytes_for(const struct job *job, int layer, uint8_t *data)
{
    const struct tensor *t = plan_output(job->plan, layer);
    return (struct int8_tensor){.data = data,
                                .n = 1,
                                .h = t->h,
                                .w = t->w,
                                .c = t->c,
                                .stride = (size_t)t->c,
                                .steps = job->found->quant.layers[layer].steps,
                                .zeros = job->found->quant.layers[layer].zeros};
}

/* The output as its bytes say it. */
static void round_output(struct job *job, int layer)
{
    struct int8_tensor out = bytes_for(job, layer, job->out_bytes);
    const struct tensor *t = plan_output(job->plan, layer);
    int8_quantize(job->model->kernels, t, &out);
    int8_dequantize(job->model->kernels, &out, t);
}

/* The layer's output as bytes give it, in place of the fp32 one. */
static enum result run_on_bytes(struct job *job, const struct layer *l, struct error *err)
{
    const struct kernels *kern = job->model->kernels;
    struct int8_tensor in = bytes_for(job, l->inputs[0], job->in_bytes);
    struct int8_tensor out = bytes_for(job, l->index, job->out_bytes);
    enum int8_algorithm choice = int8_unit_choose(l, kern, in.steps);
    TRY(int8_unit_prepare(l, kern, choice, &in, &out, NULL, job->prepared, err));
    int8_quantize(kern, plan_output(job->plan, l->inputs[0]), &in);
    int8_unit_forward(l, kern, choice, job->prepared, &in, &out, job->scratch);
    int8_dequantize(kern, &out, plan_output(job->plan, l->index));
    return OK;
}

/* What the heads get once the layers behind this one have run again. */
static double error_behind(struct job *job, int layer)
{
    for (int i = layer + 1; i < job->model->net.layer_count; i++) {
        plan_forward_layer(job->plan, i);
    }
    return found_error(job);
}

static enum result measure_layers(struct job *job, struct error *err)
{
    const struct network *net = &job->model->net;
    size_t r = job->found->row_count;
    for (int i = net->layer_count - 1; i >= 0; i--) {
        struct quantize_row *row = r > 0 ? &job->found->rows[r - 1] : NULL;
        if (job->rounded[i]) {
            round_output(job, i);
            job->met[i].error += error_behind(job, i);
        }
        if (row && row->layer == i) {
            if (row->reason == QUANTIZE_INT8) {
                TRY(run_on_bytes(job, &net->layers[i], err));
                row->error += error_behind(job, i);
            }
            r--;
        }
    }
    return OK;
}

static enum result need_buffers(struct job *job, struct error *err)
{
    const struct network *net = &job->model->net;
    const struct kernels *kern = job->model->kernels;
    size_t prepared = 0, scratch = 0, bytes = 0;
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        size_t own = (size_t)l->out.h * (size_t)l->out.w * (size_t)l->out.c;
        bytes = own > bytes ? own : bytes;
        if (job->roles[i] != QUANT_CONV) {
            continue;
        }
        const struct conv_unit *u = l->state;
        const float *steps = job->found->quant.layers[l->inputs[0]].steps;
        enum int8_algorithm choice = int8_unit_choose(l, kern, steps);
        size_t own_prepared = int8_unit_prepared_bytes(l, kern, choice);
        size_t own_scratch = int8_conv_scratch_bytes(kern, &u->geometry, choice, 1);
        prepared = own_prepared > prepared ? own_prepared : prepared;
        scratch = own_scratch > scratch ? own_scratch : scratch;
    }
    job->prepared = mem_alloc(prepared, 1);
    job->scratch = mem_alloc(scratch, 1);
    job->in_bytes = mem_alloc(bytes, 1);
    job->out_bytes = mem_alloc(bytes, 1);
    return job->prepared && job->scratch && job->in_bytes && job->out_bytes
               ? OK
               : mem_error(err, "a layer on bytes");
}

static enum result measure_sensitivity(struct job *job, struct error *err)
{
    size_t pictures = picture_count(job), used = 0;
    size_t most = pictures < SENSITIVITY_PICTURES ? pictures : SENSITIVITY_PICTURES;
    struct progress progress;
    TRY(need_buffers(job, err));
    progress_begin(&progress, "sensitivity", most);
    enum result result = OK;
    for (size_t i = 0; result == OK && i < most; i++) {
        struct error why;
        if (interrupt_pending()) {
            result = error_set(err, ERR_INTERRUPTED, "interrupted");
        } else if (load(job, job->plan, i * pictures / most, 0, &why) == OK) {
            plan_forward(job->plan, 1);
            result = keep_wanted(job, err);
            result = result == OK ? measure_layers(job, err) : result;
            used++;
        }
        progress_step(&progress, i + 1);
    }
    progress_end();
    double count = used > 0 ? (double)used : 1;
    for (size_t r = 0; r < job->found->row_count; r++) {
        job->found->rows[r].error /= count;
    }
    for (int i = 0; i < job->model->net.layer_count; i++) {
        job->met[i].error /= count;
    }
    return result;
}

/* ---- which layers ---- */

static enum quantize_reason reason_of(const struct network *net, const struct layer *l)
{
    bool is_last = is_compared(net, l->index) || l->index == net->layer_count - 1;
    return l->inputs[0] == LAYER_IMAGE ? QUANTIZE_FIRST
           : is_last                   ? QUANTIZE_HEAD
           : int8_unit_possible(l)     ? QUANTIZE_INT8
                                       : QUANTIZE_CANNOT;
}

static enum result list_layers(struct job *job, struct error *err)
{
    const struct network *net = &job->model->net;
    struct quantized *found = job->found;
    double total = network_flops(net);
    found->rows = mem_alloc((size_t)net->layer_count, sizeof *found->rows);
    if (!found->rows) {
        return mem_error(err, "layers");
    }
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (l->ops != &convolutional_ops) {
            continue;
        }
        enum quantize_reason reason = reason_of(net, l);
        found->rows[found->row_count++] =
            (struct quantize_row){.layer = i, .reason = reason, .share = l->ops->flops(l) / total};
        job->is_int8[i] = reason == QUANTIZE_INT8;
    }
    find_roles(job);
    for (int i = 0; i < net->layer_count; i++) {
        if (job->rounded[i]) {
            job->met[i].channels =
                mem_alloc((size_t)net->layers[i].out.c, sizeof *job->met[i].channels);
            if (!job->met[i].channels) {
                return mem_error(err, "layers");
            }
        }
    }
    return OK;
}

/* Error of the convolution's rounded weights: of the whole, without that of its rounded input and output. */
static double weights_error(const struct job *job, const struct quantize_row *row)
{
    const struct layer *l = &job->model->net.layers[row->layer];
    double rest = row->error - job->met[l->index].error - job->met[l->inputs[0]].error;
    return rest > 0 ? rest : 0;
}

/* Of all that is rounded, as if errors added up. */
static double whole_error(struct job *job)
{
    const struct quantized *found = job->found;
    double sum = 0;
    find_roles(job);
    for (int i = 0; i < job->model->net.layer_count; i++) {
        sum += job->rounded[i] ? job->met[i].error : 0;
    }
    for (size_t r = 0; r < found->row_count; r++) {
        bool is_int8 = job->is_int8[found->rows[r].layer];
        sum += is_int8 ? weights_error(job, &found->rows[r]) : 0;
    }
    return sum;
}

/* Rows [first, first + count) to fp32, or those of them back that are not. What it changes of the work on bytes. */
static double set_rows(struct job *job, size_t first, size_t count, bool is_int8)
{
    double work = 0;
    for (size_t r = first; r < first + count; r++) {
        const struct quantize_row *row = &job->found->rows[r];
        if (row->reason == QUANTIZE_INT8) {
            job->is_int8[row->layer] = is_int8;
            work += row->share;
        }
    }
    return work;
}

struct candidate {
    size_t first, count; /* rows; count 0: none */
    double gain, work;
};

static struct candidate best_candidate(struct job *job, double room)
{
    struct candidate best = {0};
    size_t rows = job->found->row_count;
    double before = whole_error(job);
    for (size_t first = 0; first < rows; first++) {
        for (size_t count = 1; count <= MAX_ROW && first + count <= rows; count++) {
            struct candidate c = {.first = first, .count = count};
            c.work = set_rows(job, first, count, false);
            c.gain = c.work > 0 && c.work <= room ? before - whole_error(job) : 0;
            set_rows(job, first, count, true);
            if (c.gain > 0 && (best.count == 0 || c.gain * best.work > best.gain * c.work)) {
                best = c;
            }
        }
    }
    return best;
}

static void keep_sensitive(struct job *job)
{
    double room = SENSITIVE_WORK, least = SENSITIVE_GAIN * whole_error(job);
    for (;;) {
        struct candidate c = best_candidate(job, room);
        if (c.count == 0 || c.gain < least * c.work) {
            break;
        }
        set_rows(job, c.first, c.count, false);
        for (size_t r = c.first; r < c.first + c.count; r++) {
            struct quantize_row *row = &job->found->rows[r];
            row->reason = row->reason == QUANTIZE_INT8 ? QUANTIZE_SENSITIVE : row->reason;
        }
        room -= c.work;
    }
    find_roles(job);
}

static void settle_layers(struct job *job)
{
    struct quantization *q = &job->found->quant;
    for (int i = 0; i < q->layer_count; i++) {
        q->layers[i].is_int8 = job->roles[i] == QUANT_CONV;
    }
}

/* ---- biases ---- */

/* Means of an output's channels, of the fp32 network and of the one on bytes. */
static void find_means(const struct job *job, const struct plan *plan, int layer, double *wanted,
                       double *means)
{
    const struct int8_tensor *t = plan_output_bytes(plan, layer);
    const struct met *met = &job->met[layer];
    size_t pixels = int8_pixels(t);
    for (int c = 0; c < t->c; c++) {
        double sum = 0;
        for (size_t p = 0; p < pixels; p++) {
            sum += t->data[p * t->stride + (size_t)c];
        }
        means[c] = (double)t->steps[c] * (sum / (double)pixels - t->zeros[c]);
        wanted[c] = met->sums[c] / met->pixels;
    }
}

static enum result settle_biases(struct job *job, struct plan *plan, double *means,
                                 struct error *err)
{
    const struct network *net = &job->model->net;
    plan_begin(plan, (int)job->bias_count);
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        if (l->ops == &convolutional_ops && plan_output_bytes(plan, l->inputs[0])) {
            const struct quantization *q = &job->found->quant;
            const float *steps = q->layers[l->inputs[0]].steps;
            double *wanted = means + l->input_shapes[0].c;
            find_means(job, plan, l->inputs[0], wanted, means);
            TRY(int8_unit_find_bias(l, job->roles[i] == QUANT_CONV ? steps : NULL, wanted, means,
                                    q->layers[i].bias, err));
            TRY(plan_prepare_layer(plan, i, err));
        }
        plan_forward_layer(plan, i);
    }
    return OK;
}

static enum result find_biases(struct job *job, struct error *err)
{
    const struct network *net = &job->model->net;
    const struct plan_options options = {.batch = (int)job->bias_count,
                                         .quant = &job->found->quant};
    struct plan *plan = NULL;
    size_t most = 1;
    for (int i = 0; i < net->layer_count; i++) {
        size_t c = (size_t)net->layers[i].out.c;
        most = c > most ? c : most;
    }
    double *means = mem_alloc(2 * most, sizeof *means);
    enum result result =
        means ? plan_build(&job->model->net, job->model->kernels, &options, &plan, err)
              : mem_error(err, "means");
    for (size_t i = 0; result == OK && i < job->bias_count; i++) {
        result = load(job, plan, job->bias_pictures[i], (int)i, err);
    }
    result = result == OK ? settle_biases(job, plan, means, err) : result;
    plan_free(plan);
    mem_free(means);
    return result;
}

/* ---- together ---- */

static enum result open_job(struct job *job, struct error *err)
{
    struct network *net = &job->model->net;
    size_t layers = (size_t)net->layer_count;
    const struct plan_options options = {.batch = 1, .keep_outputs = true};
    job->met = mem_alloc(layers, sizeof *job->met);
    job->is_int8 = mem_alloc(layers, sizeof *job->is_int8);
    job->roles = mem_alloc(layers, sizeof *job->roles);
    job->rounded = mem_alloc(layers, sizeof *job->rounded);
    job->wanted = mem_alloc(layers, sizeof *job->wanted);
    bool has_memory = job->met && job->is_int8 && job->roles && job->rounded && job->wanted;
    for (size_t i = 0; has_memory && i < layers; i++) {
        job->met[i].sums = mem_alloc((size_t)net->layers[i].out.c, sizeof(double));
        has_memory = job->met[i].sums != NULL;
    }
    if (!has_memory) {
        return mem_error(err, "quantisation");
    }
    struct quantization *q = &job->found->quant;
    TRY(quant_allocate(q, net->layer_count, err));
    q->network = quant_network_hash(net);
    q->weights = quant_weights_hash(net);
    q->width = net->size.w;
    q->height = net->size.h;
    return plan_build(net, job->model->kernels, &options, &job->plan, err);
}

static void close_job(struct job *job)
{
    plan_free(job->plan);
    dataset_free(&job->set);
    for (int i = 0; i < job->model->net.layer_count; i++) {
        if (job->met) {
            mem_free(job->met[i].channels);
            mem_free(job->met[i].sums);
        }
        if (job->wanted) {
            mem_free(job->wanted[i]);
        }
    }
    mem_free(job->met);
    mem_free(job->is_int8);
    mem_free(job->roles);
    mem_free(job->rounded);
    mem_free(job->wanted);
    mem_free(job->prepared);
    mem_free(job->scratch);
    mem_free(job->in_bytes);
    mem_free(job->out_bytes);
}

static enum result run(struct job *job, struct error *err)
{
    TRY(open_pictures(job, err));
    TRY(open_job(job, err));
    TRY(list_layers(job, err));
    TRY(measure_ranges(job, err));
    TRY(choose_scales(job, err));
    TRY(measure_sensitivity(job, err));
    keep_sensitive(job);
    settle_layers(job);
    TRY(quant_hand_on(&job->found->quant, &job->model->net, job->roles, err));
    plan_free(job->plan);
    job->plan = NULL;
    return find_biases(job, err);
}

/* Many small loops: in one team. */
struct team_run {
    struct job *job;
    struct error *err;
    enum result result;
};

static void run_in_team(void *ctx)
{
    struct team_run *team = ctx;
    team->result = run(team->job, team->err);
}

enum result quantize(struct model *model, const struct quantize_options *options,
                     struct quantized *found, struct error *err)
{
    struct job job = {.model = model, .o = options, .found = found};
    struct team_run team = {.job = &job, .err = err};
    interrupt_catch();
    parallel_team(run_in_team, &team);
    close_job(&job);
    return team.result;
}

enum result quantize_draft(const struct network *net, struct quantization *quant, struct error *err)
{
    int on_bytes = 0;
    TRY(quant_allocate(quant, net->layer_count, err));
    for (int i = 0; i < net->layer_count; i++) {
        const struct layer *l = &net->layers[i];
        bool is_int8 = l->ops == &convolutional_ops && reason_of(net, l) == QUANTIZE_INT8;
        TRY(quant_need_channels(&quant->layers[i], l->out.c, err));
        quant->layers[i].is_int8 = is_int8;
        on_bytes += is_int8;
    }
    return on_bytes > 0 ? OK
                        : error_at(err, ERR_UNSUPPORTED, net->cfg.path, 0,
                                   "no convolution of it can be int8");
}

static enum result run_on_noise(struct job *job, struct error *err)
{
    TRY(open_job(job, err));
    TRY(list_layers(job, err));
    bench_fill_input(plan_input(job->plan));
    plan_forward(job->plan, 1);
    parallel_for((size_t)job->model->net.layer_count, measure_layer, job);
    settle_layers(job);
    return choose_scales(job, err);
}

enum result quantize_on_noise(struct model *model, struct error *err)
{
    struct quantized found = {0};
    struct job job = {.model = model, .found = &found};
    enum result result = run_on_noise(&job, err);
    close_job(&job);
    if (result == OK) {
        model->quant = found.quant;
        found.quant = (struct quantization){0};
    }
    quantized_free(&found);
    return result;
}

void quantized_free(struct quantized *found)
{
    quant_free(&found->quant);
    mem_free(found->rows);
}
