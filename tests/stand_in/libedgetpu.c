/* A stand-in for libedgetpu.so.1: the same two functions (TensorFlow Lite's external delegate interface), no device.

It takes the network's first concatenation for itself and computes it by calling the interpreter's own kernel, so that a
whole network answers as it does without a delegate. The file that the environment's EDGETPU_STAND_IN names holds one
word, read again at every call: what goes wrong from now on.

    works | slow (10 ms a window) | late (0.15 s) | lies | errs | hangs | dies | crashes    while it computes
    absent | refuses | hangs-at-start | crashes-at-start                                    while it is loaded

The structures are TensorFlow Lite's (core/c/common.h, 2.14), as far as they are used here; new members are only ever
added at their ends. */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, ERROR = 1, CONCATENATION = 2 };

typedef struct { int size; int data[]; } IntArray;
typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct {
    IntArray *inputs, *outputs, *intermediates, *temporaries;
    void *user_data;
    void *builtin_data;
} Node;

typedef struct {
    void *(*init)(Context *, const char *, size_t);
    void (*free)(Context *, void *);
    int (*prepare)(Context *, Node *);
    int (*invoke)(Context *, Node *);
    const char *(*profiling_string)(const Context *, const Node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *since_then[8];
} Registration;

typedef struct {
    int type;
    void *data;
} Tensor;

struct Context {
    size_t tensors_size;
    int (*get_execution_plan)(Context *, IntArray **);
    Tensor *tensors;
    void *impl;
    int (*resize_tensor)(Context *, Tensor *, IntArray *);
    void (*report_error)(Context *, const char *, ...);
    int (*add_tensors)(Context *, int, int *);
    int (*get_node)(Context *, int, Node **, Registration **);
    int (*replace_nodes)(Context *, Registration, const IntArray *, Delegate *);
};

struct Delegate {
    void *data;
    int (*prepare)(Context *, Delegate *);
    void *copy_from, *copy_to, *free_buffer;
    int64_t flags;
    void *since_then[4];
};

static Node *taken_node;
static Registration *taken_kernel;

static bool told(const char *what) {
    char word[32] = "works";
    const char *path = getenv("EDGETPU_STAND_IN");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        if (fscanf(file, "%31s", word) != 1) strcpy(word, "works");
        fclose(file);
    }
    return strcmp(word, what) == 0;
}

static void hang(void) {
    for (;;) pause();
}

static void crash(void) {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
}

static int kernel_prepare(Context *context, Node *node) {
    (void)node;
    return taken_kernel->prepare ? taken_kernel->prepare(context, taken_node) : OK;
}

static int kernel_invoke(Context *context, Node *node) {
    (void)node;
    if (told("hangs")) hang();
    if (told("dies")) kill(getpid(), SIGKILL);
    if (told("crashes")) crash();
    if (told("slow")) usleep(10000);
    if (told("late")) usleep(150000);
    if (told("errs")) {
        context->report_error(context, "transfer error: device disconnected");
        return ERROR;
    }
    if (told("lies")) return OK; /* the answer stays what the last window left */
    return taken_kernel->invoke(context, taken_node);
}

static int prepare(Context *context, Delegate *delegate) {
    IntArray *plan;
    if (told("refuses")) return ERROR;
    if (context->get_execution_plan(context, &plan) != OK) return ERROR;
    for (int i = 0; i < plan->size; i++) {
        Node *node;
        Registration *kernel;
        if (context->get_node(context, plan->data[i], &node, &kernel) != OK) return ERROR;
        if (kernel->builtin_code != CONCATENATION) continue;
        taken_node = node;
        taken_kernel = kernel;
        IntArray *nodes = malloc(sizeof *nodes + sizeof(int));
        nodes->size = 1;
        nodes->data[0] = plan->data[i];
        Registration ours = {0};
        ours.prepare = kernel_prepare;
        ours.invoke = kernel_invoke;
        ours.custom_name = "edgetpu-stand-in";
        ours.version = 1;
        int status = context->replace_nodes(context, ours, nodes, delegate);
        free(nodes);
        return status;
    }
    return ERROR;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report_error)(const char *)) {
    (void)report_error;
    if (told("hangs-at-start")) hang();
    if (told("crashes-at-start")) crash();
    if (told("absent")) return NULL; /* without a word, as libedgetpu does it */
    for (size_t i = 0; i < count; i++) fprintf(stderr, "option %s=%s\n", keys[i], values[i]);
    Delegate *delegate = calloc(1, sizeof *delegate);
    delegate->prepare = prepare;
    return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
    free(delegate);
}
