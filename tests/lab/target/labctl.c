// SPDX-License-Identifier: LGPL-2.1-or-later
// What the lab needs of Xen in dom0 and no shipped tool gives:
//   labctl crash DOMID              SHUTDOWN_crash, as a host administrator would
//   labctl ctx DOMID VCPUS          one line a vCPU: its raw context in hex, or the error number
//   labctl state DOMID              the domain's flags as a number (bit 3: paused)
//   labctl time FILE COMMAND...     runs it; FILE gets: exit status, microseconds, peak memory in KiB
//   labctl interrupt DOMID COUNT MICROSECONDS SIGNAL COMMAND...
//                                   runs it COUNT times, sends SIGNAL after a random time, says how often the domain was
//                                   then paused and had not been, or the other way round
//   labctl as UID COMMAND...        runs it as that user
//   labctl dump DOMID VCPUS PREFIX  PREFIX.ctx (raw contexts), PREFIX.pfn (u64 each), PREFIX.pages; zero pages are left out
// Libraries are opened at run time, so one program runs on every Xen release and is built without Xen's headers.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { CONTEXT = 5168 };
#else
enum { CONTEXT = 352 };
#endif
enum { BATCH = 256, PAGE = 4096 };

// xen_pfn_t is 64 bits on ARM of either width, and unsigned long on x86.
#if defined(__x86_64__)
typedef unsigned long pfn_type;
enum { FIRST = 0 };
#else
typedef uint64_t pfn_type;
enum { FIRST = 0x38000 }; // below the guest's RAM (0x40000) and the pages shared with Xen (0x39000)
#endif

static void *open_library(const char *const *names)
{
    for (; *names; names++) {
        void *library = dlopen(*names, RTLD_NOW | RTLD_GLOBAL);
        if (library) return library;
    }
    fprintf(stderr, "labctl: %s\n", dlerror());
    exit(3);
}

static void *symbol(void *library, const char *name)
{
    void *address = dlsym(library, name);
    if (!address) fprintf(stderr, "labctl: no %s\n", name), exit(3);
    return address;
}

static const char *const ctrl_names[] = {"libxenctrl.so.4.17", "libxenctrl.so.4.20", "libxenctrl.so.4.19", "libxenctrl.so.4.18",
                                         "libxenctrl.so.4.16", "libxenctrl.so.4.14", "libxenctrl.so", NULL};
static const char *const map_names[] = {"libxenforeignmemory.so.1", "libxenforeignmemory.so", NULL};

static uint64_t microseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int timed(const char *file, char **command)
{
    uint64_t start = microseconds();
    pid_t child = fork();
    if (!child) {
        execvp(command[0], command);
        _exit(127);
    }
    int status;
    struct rusage use;
    if (child < 0 || wait4(child, &status, 0, &use) < 0) return perror("labctl"), 1;
    uint64_t end = microseconds();
    FILE *out = fopen(file, "w");
    if (!out) return perror(file), 1;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fprintf(out, "%d %llu %ld\n", code, (unsigned long long)(end - start), use.ru_maxrss);
    fclose(out);
    return code;
}

// The head of XEN_DOMCTL_getdomaininfo's answer is the same in every release: domid, 16 bits of padding, flags.
static int64_t domain_flags(void *ctrl, void *xch, uint32_t dom)
{
    int (*list)(void *, uint32_t, unsigned, void *) = symbol(ctrl, "xc_domain_getinfolist");
    static union {
        unsigned char bytes[4096];
        uint32_t words[2];
    } info;
    memset(&info, 0, sizeof info);
    return list(xch, dom, 1, &info) == 1 && (info.words[0] & 0xffff) == dom ? (int64_t)info.words[1] : -1;
}

enum { PAUSED = 8 };

static int interrupt(void *ctrl, void *xch, uint32_t dom, char **argv)
{
    int (*unpause)(void *, uint32_t) = symbol(ctrl, "xc_domain_unpause");
    int (*pause)(void *, uint32_t) = symbol(ctrl, "xc_domain_pause");
    unsigned count = strtoul(argv[0], NULL, 0), range = strtoul(argv[1], NULL, 0), changed = 0, finished = 0, lost = 0;
    int signal_number = atoi(argv[2]);
    int64_t before = domain_flags(ctrl, xch, dom);
    if (before < 0) return fprintf(stderr, "labctl: no domain %u\n", dom), 3;
    int was_paused = (before & PAUSED) != 0;
    srand(1);
    for (unsigned i = 0; i < count; i++) {
        pid_t child = fork();
        if (!child) {
            int null = open("/dev/null", O_RDWR);
            dup2(null, 1);
            dup2(null, 2);
            signal(signal_number, SIG_DFL); // a shell starts background jobs with SIGINT ignored
            execvp(argv[3], argv + 3);
            _exit(127);
        }
        usleep(rand() % (range + 1));
        kill(child, signal_number);
        int status;
        waitpid(child, &status, 0);
        finished += WIFEXITED(status) && !WEXITSTATUS(status);
        int64_t flags = domain_flags(ctrl, xch, dom);
        if (flags < 0) lost++;
        else if (((flags & PAUSED) != 0) != was_paused) changed++, (was_paused ? pause : unpause)(xch, dom);
    }
    printf("%s before: runs %u finished %u changed %u lost %u\n", was_paused ? "paused" : "not paused", count, finished, changed, lost);
    return changed || lost;
}

int main(int argc, char **argv)
{
    if (argc > 3 && !strcmp(argv[1], "time")) return timed(argv[2], argv + 3);
    if (argc > 3 && !strcmp(argv[1], "as")) {
        if (setgid(atoi(argv[2])) || setuid(atoi(argv[2]))) return perror("labctl: as"), 1;
        execvp(argv[3], argv + 3);
        return perror(argv[3]), 127;
    }
    if (argc < 3) return fprintf(stderr, "usage: labctl crash|ctx|dump DOMID [VCPUS [PREFIX]]\n"), 2;
    void *ctrl = open_library(ctrl_names);
    void *(*interface_open)(void *, void *, unsigned) = symbol(ctrl, "xc_interface_open");
    void *xch = interface_open(NULL, NULL, 0);
    if (!xch) return perror("xc_interface_open"), 3;
    uint32_t dom = strtoul(argv[2], NULL, 0);
    if (!strcmp(argv[1], "crash")) {
        int (*domain_shutdown)(void *, uint32_t, int) = symbol(ctrl, "xc_domain_shutdown");
        return domain_shutdown(xch, dom, 3) ? perror("xc_domain_shutdown"), 1 : 0;
    }
    if (!strcmp(argv[1], "state")) return printf("%lld\n", (long long)domain_flags(ctrl, xch, dom)), 0;
    if (!strcmp(argv[1], "interrupt")) return argc > 6 ? interrupt(ctrl, xch, dom, argv + 3) : 2;
    if (argc < 4) return 2;
    unsigned vcpus = strtoul(argv[3], NULL, 0);
    int (*getcontext)(void *, uint32_t, uint32_t, void *) = symbol(ctrl, "xc_vcpu_getcontext");
    FILE *out = NULL;
    char name[4096];
    int dump = !strcmp(argv[1], "dump") && argc > 4;
    if (dump) {
        snprintf(name, sizeof name, "%s.ctx", argv[4]);
        if (!(out = fopen(name, "wb"))) return perror(name), 1;
    }
    for (unsigned v = 0; v < vcpus; v++) {
        unsigned char context[8192];
        memset(context, 0, sizeof context);
        if (getcontext(xch, dom, v, context)) {
            printf("vcpu %u error %d\n", v, errno);
            memset(context, 0, sizeof context);
        } else {
            printf("vcpu %u ", v);
            for (unsigned i = 0; i < (dump ? 16 : CONTEXT); i++) printf("%02x", context[i]);
            putchar('\n');
        }
        if (dump) fwrite(context, CONTEXT, 1, out);
    }
    if (!dump) return 0;
    if (fclose(out)) return perror(name), 1;
    int (*maximum_gpfn)(void *, uint32_t, pfn_type *) = symbol(ctrl, "xc_domain_maximum_gpfn");
    void *library = open_library(map_names);
    void *(*map_open)(void *, unsigned) = symbol(library, "xenforeignmemory_open");
    void *(*map)(void *, uint32_t, int, size_t, const pfn_type *, int *) = symbol(library, "xenforeignmemory_map");
    int (*unmap)(void *, void *, size_t) = symbol(library, "xenforeignmemory_unmap");
    void *fmem = map_open(NULL, 0);
    pfn_type last = 0;
    if (!fmem || maximum_gpfn(xch, dom, &last)) return perror("labctl: dump"), 1;
    snprintf(name, sizeof name, "%s.pfn", argv[4]);
    FILE *pfns = fopen(name, "wb");
    snprintf(name, sizeof name, "%s.pages", argv[4]);
    FILE *pages = fopen(name, "wb");
    if (!pfns || !pages) return perror(name), 1;
    setvbuf(pages, NULL, _IOFBF, 1 << 20);
    static pfn_type want[BATCH];
    static int bad[BATCH];
    static unsigned char zero[PAGE], copy[PAGE];
    unsigned long kept = 0, holes = 0, seen = 0;
    unsigned empty = 0;
    for (pfn_type first = FIRST; first <= last; first += BATCH) {
        if (empty == 256 && first + 2 * BATCH < last) first = last - 2 * BATCH; // a PVH guest has a few pages below 4 GiB
        unsigned n = last - first + 1 < BATCH ? last - first + 1 : BATCH;
        for (unsigned i = 0; i < n; i++) want[i] = first + i;
        memset(bad, 0, sizeof bad);
        unsigned char *m = map(fmem, dom, PROT_READ, n, want, bad);
        if (!m) { // some kernels refuse a whole batch for one hole
            holes += n;
            empty++;
            continue;
        }
        unsigned long before = seen;
        for (unsigned i = 0; i < n; i++) {
            if (bad[i]) {
                holes++;
                continue;
            }
            seen++;
            memcpy(copy, m + (size_t)i * PAGE, PAGE); // a foreign page cannot be handed to write()
            if (!memcmp(copy, zero, PAGE)) continue;
            uint64_t number = first + i;
            if (fwrite(&number, sizeof number, 1, pfns) != 1 || fwrite(copy, PAGE, 1, pages) != 1) return perror("labctl: write"), 1;
            kept++;
        }
        empty = seen == before ? empty + 1 : 0;
        unmap(fmem, m, n);
    }
    if (fclose(pfns) || fclose(pages)) return perror("labctl: write"), 1;
    printf("last pfn %#llx, %lu pages present, %lu kept, %lu holes\n", (unsigned long long)last, seen, kept, holes);
    return 0;
}
