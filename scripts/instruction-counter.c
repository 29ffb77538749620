/* A TCG plugin for user-mode qemu: counts the guest's instructions and writes the count to the file that
 * `-plugin libinstruction-counter.so,out=PATH` names, when the guest ends.
 *
 * The declarations are those of qemu's public plugin interface, version 1 (qemu 4.2 to 8.2). Debian ships no header. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*translated)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, enum qemu_plugin_op op, void *counter, uint64_t add);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*ended)(qemu_plugin_id_t, void *), void *data);

EXPORT int qemu_plugin_version = 1;

static uint64_t instructions;
static char path[4096];

/* A block is translated once and runs often: its length is added each time that it is entered. The addition is not
 * atomic, so the count is exact for programs of one thread. */
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &instructions, qemu_plugin_tb_n_insns(block));
}

static void ended(qemu_plugin_id_t id, void *data)
{
    (void)id;
    (void)data;
    FILE *file = fopen(path, "w");
    if (!file) {
        return;
    }
    fprintf(file, "%" PRIu64 "\n", instructions);
    fclose(file);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int count, char **arguments)
{
    (void)info;
    if (count != 1 || strncmp(arguments[0], "out=", 4) != 0 || strlen(arguments[0]) - 4 >= sizeof path) {
        fprintf(stderr, "instruction-counter: expected one argument, out=PATH\n");
        return 1;
    }
    strcpy(path, arguments[0] + 4);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
