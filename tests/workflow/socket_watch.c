/* Notes what a process asks of the network, for LD_PRELOAD: every connect, bind, sendto and sendmsg to an internet
 * address and every look-up of a name. One line each is appended to the file that SOCKET_WATCH names:
 *   started PROGRAM | CALL ADDRESS PROGRAM
 * All that asks through the C library is seen, Python and compiled extensions alike; a program that is linked statically
 * is not. The calls go on as they were. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

extern char *program_invocation_name;

static void note(const char *call, const char *what) {
    const char *path = getenv("SOCKET_WATCH");
    char line[512];
    int length = snprintf(line, sizeof line, "%s %s %s\n", call, what, program_invocation_name);
    int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (file < 0 || length <= 0) return;
    if ((size_t)length >= sizeof line) length = sizeof line - 1, line[length - 1] = '\n';
    if (write(file, line, length) < 0) abort();
    close(file);
}

static void note_address(const char *call, const struct sockaddr *to) {
    char text[INET6_ADDRSTRLEN] = "";
    if (!to) return;
    if (to->sa_family == AF_INET) inet_ntop(AF_INET, &((const struct sockaddr_in *)to)->sin_addr, text, sizeof text);
    else if (to->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)to)->sin6_addr, text, sizeof text);
    else return;
    note(call, text);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void started(void) { note("started", "-"); }

int connect(int s, const struct sockaddr *to, socklen_t n) {
    note_address("connect", to);
    return NEXT(connect)(s, to, n);
}

int bind(int s, const struct sockaddr *to, socklen_t n) {
    note_address("bind", to);
    return NEXT(bind)(s, to, n);
}

ssize_t sendto(int s, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t n) {
    note_address("sendto", to);
    return NEXT(sendto)(s, data, size, flags, to, n);
}

ssize_t sendmsg(int s, const struct msghdr *message, int flags) {
    note_address("sendmsg", message->msg_name);
    return NEXT(sendmsg)(s, message, flags);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    if (node) note("getaddrinfo", node);
    return NEXT(getaddrinfo)(node, service, hints, found);
}

struct hostent *gethostbyname(const char *name) {
    note("gethostbyname", name);
    return NEXT(gethostbyname)(name);
}

int gethostbyname_r(const char *name, struct hostent *one, char *buffer, size_t size, struct hostent **found, int *error) {
    note("gethostbyname", name);
    return NEXT(gethostbyname_r)(name, one, buffer, size, found, error);
}
