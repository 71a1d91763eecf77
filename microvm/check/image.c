/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel files, ELF (elf(5)) and bzImage (linux: Documentation/arch/x86/boot.rst). The configuration
 * is looked for in the file itself or, of a bzImage, in its payload, which gzip may have packed; the
 * other packers of the kernel's build are told by their first bytes and named.
 *
 * The file is read, not mapped: somebody who shortens it meanwhile must not kill the reader.
 */
#include "microvm/check/image.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "microvm/check/ikconfig.h"

#define FILE_MAX     (2ull << 30) /* with debugging information */
#define UNPACKED_MAX (512u << 20) /* of a bzImage's payload */
#define CHUNK        65536u
#define GZIP_WINDOW  (15 + 16)

#define NOTE_PHYS32_ENTRY 18 /* xen: XEN_ELFNOTE_PHYS32_ENTRY */

/* The setup header of a bzImage, from the file's beginning on. */
#define HEADER_SIZE         0x268u
#define OFF_SETUP_SECTS     0x1f1u
#define OFF_BOOT_FLAG       0x1feu
#define OFF_MAGIC           0x202u
#define OFF_VERSION         0x206u
#define OFF_XLOADFLAGS      0x236u
#define OFF_PAYLOAD         0x248u
#define OFF_PAYLOAD_SIZE    0x24cu
#define VERSION_PAYLOAD     0x208u /* protocol 2.08 has the payload's place */
#define VERSION_XLOADFLAGS  0x20cu
#define XLOADFLAG_KERNEL_64 1u

struct reader {
	int fd;
	uint64_t size;
	uint8_t *chunk; /* CHUNK bytes */
	struct ikconfig ikconfig;
};

static uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static bool inside(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

/* All len bytes at offset; the caller has seen that they lie in the file. */
static int read_at(const struct reader *r, uint64_t offset, void *data, size_t len, struct err *err)
{
	ssize_t n;

	if (lseek(r->fd, (off_t)offset, SEEK_SET) < 0)
		return err_sys(err, "seek");
	n = io_read(r->fd, data, len);
	if (n < 0)
		return err_code(err, (int)-n, "read");
	if ((size_t)n != len)
		return err_set(err, EIO, "it became shorter while it was read");
	return 0;
}

/* Looks through len bytes at offset as they are, until the configuration is found. */
static int scan_plain(struct reader *r, uint64_t offset, uint64_t len, struct err *err)
{
	while (len && !r->ikconfig.found) {
		size_t n = len < CHUNK ? (size_t)len : CHUNK;
		int rc = read_at(r, offset, r->chunk, n, err);

		if (!rc)
			rc = ikconfig_feed(&r->ikconfig, r->chunk, n, err);
		if (rc)
			return rc;
		offset += n;
		len -= n;
	}
	return 0;
}

/* --- ELF --- */

static bool has_pvh_note(const uint8_t *notes, size_t size)
{
	while (size >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr n;
		uint64_t name, desc;

		memcpy(&n, notes, sizeof(n));
		notes += sizeof(n);
		size -= sizeof(n);
		name = ((uint64_t)n.n_namesz + 3) & ~3ull;
		desc = ((uint64_t)n.n_descsz + 3) & ~3ull;
		if (name > size || desc > size - name)
			return false;
		if (n.n_type == NOTE_PHYS32_ENTRY && n.n_namesz == 4 && !memcmp(notes, "Xen", 4) &&
		    (n.n_descsz == 4 || n.n_descsz == 8))
			return true;
		notes += name + desc;
		size -= name + desc;
	}
	return false;
}

static int read_segment(struct reader *r, const Elf64_Phdr *p, struct kernel_image *ret,
			struct err *err)
{
	int rc;

	if ((p->p_type == PT_LOAD || p->p_type == PT_NOTE) &&
	    !inside(p->p_offset, p->p_filesz, r->size))
		return err_set(err, ENOEXEC, "cut off: a segment lies outside the file");
	if (p->p_type != PT_NOTE || p->p_filesz > CHUNK)
		return 0;
	rc = read_at(r, p->p_offset, r->chunk, (size_t)p->p_filesz, err);
	if (!rc && has_pvh_note(r->chunk, (size_t)p->p_filesz))
		ret->pvh = true;
	return rc;
}

static int read_elf(struct reader *r, struct kernel_image *ret, struct err *err)
{
	Elf64_Ehdr e;
	int rc;

	if (r->size < sizeof(e))
		return err_set(err, ENOEXEC, "cut off: it ends within its ELF header");
	rc = read_at(r, 0, &e, sizeof(e), err);
	if (rc)
		return rc;
	if (e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_ident[EI_DATA] != ELFDATA2LSB ||
	    e.e_machine != EM_X86_64 || (e.e_type != ET_EXEC && e.e_type != ET_DYN))
		return err_set(err, ENOEXEC, "no x86-64 kernel but another kind of ELF file");
	if (e.e_phentsize != sizeof(Elf64_Phdr) || !e.e_phnum)
		return err_set(err, ENOEXEC, "no kernel: it has no program headers");
	if (!inside(e.e_phoff, (uint64_t)e.e_phnum * sizeof(Elf64_Phdr), r->size))
		return err_set(err, ENOEXEC, "cut off: its program headers lie outside the file");
	for (unsigned int i = 0; i < e.e_phnum; i++) {
		Elf64_Phdr p;

		rc = read_at(r, e.e_phoff + i * sizeof(p), &p, sizeof(p), err);
		if (!rc)
			rc = read_segment(r, &p, ret, err);
		if (rc)
			return rc;
	}
	return scan_plain(r, 0, r->size, err);
}

/* --- bzImage --- */

/* Packers that the kernel's build knows (scripts/Makefile.lib) and zlib does not. */
static const char *packer(const uint8_t *p)
{
	static const struct {
		const char *name;
		size_t len;
		uint8_t magic[6];
	} packers[] = {
		{"xz", 6, {0xfd, '7', 'z', 'X', 'Z', 0}},
		{"zstd", 4, {0x28, 0xb5, 0x2f, 0xfd}},
		{"lz4", 4, {0x02, 0x21, 0x4c, 0x18}},
		{"lzo", 4, {0x89, 'L', 'Z', 'O'}},
		{"bzip2", 3, {'B', 'Z', 'h'}},
		{"lzma", 3, {0x5d, 0, 0}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(packers); i++) {
		if (!memcmp(p, packers[i].magic, packers[i].len))
			return packers[i].name;
	}
	return NULL;
}

/* Unpacks the input that z has and looks through the result. *total counts it. */
static int scan_inflated(struct reader *r, z_stream *z, uint8_t *out, uint64_t *total, bool *end,
			 struct err *err)
{
	do {
		size_t n;
		int rc;

		z->next_out = out;
		z->avail_out = CHUNK;
		rc = inflate(z, Z_NO_FLUSH);
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return err_set(err, ENOEXEC, "the payload is damaged");
		*end = rc == Z_STREAM_END;
		n = CHUNK - z->avail_out;
		*total += n;
		if (*total > UNPACKED_MAX)
			return err_set(err, EFBIG, "it unpacks to more than %u MiB",
				       UNPACKED_MAX >> 20);
		rc = ikconfig_feed(&r->ikconfig, out, n, err);
		if (rc)
			return rc;
	} while (!*end && z->avail_out == 0 && !r->ikconfig.found);
	return 0;
}

static int scan_gzip_chunks(struct reader *r, z_stream *z, uint64_t offset, uint64_t len,
			    struct err *err)
{
	FREE uint8_t *out = mem_xalloc(CHUNK);
	uint64_t total = 0;
	bool end = false;

	while (len && !end && !r->ikconfig.found) {
		size_t n = len < CHUNK ? (size_t)len : CHUNK;
		int rc = read_at(r, offset, r->chunk, n, err);

		if (rc)
			return rc;
		z->next_in = r->chunk;
		z->avail_in = (uInt)n;
		rc = scan_inflated(r, z, out, &total, &end, err);
		if (rc)
			return rc;
		offset += n;
		len -= n;
	}
	if (!end && !r->ikconfig.found)
		return err_set(err, ENOEXEC, "cut off: its payload ends early");
	return 0;
}

static int scan_gzip(struct reader *r, uint64_t offset, uint64_t len, struct err *err)
{
	z_stream z = {0};
	int rc;

	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return err_set(err, ENOMEM, "unpack: out of memory");
	rc = scan_gzip_chunks(r, &z, offset, len, err);
	(void)inflateEnd(&z);
	return rc;
}

static int scan_payload(struct reader *r, uint64_t offset, uint64_t len, struct err *err)
{
	uint8_t magic[6];
	const char *name;
	int rc;

	if (len < sizeof(magic))
		return err_set(err, ENOEXEC, "a bzImage without a payload");
	if (!inside(offset, len, r->size))
		return err_set(err, ENOEXEC, "cut off: its payload lies outside the file");
	rc = read_at(r, offset, magic, sizeof(magic), err);
	if (rc)
		return rc;
	if (magic[0] == 0x1f && magic[1] == 0x8b)
		return scan_gzip(r, offset, len, err);
	name = packer(magic);
	if (name)
		return err_set(err, EOPNOTSUPP,
			       "packed by %s, which hull does not unpack: give the vmlinux inside "
			       "(scripts/extract-vmlinux of the kernel's source unpacks it)",
			       name);
	return scan_plain(r, offset, len, err);
}

static int read_bzimage(struct reader *r, const uint8_t *header, struct kernel_image *ret,
			struct err *err)
{
	uint32_t version = le16(header + OFF_VERSION);
	uint32_t setup_sects = header[OFF_SETUP_SECTS] ? header[OFF_SETUP_SECTS] : 4;

	ret->bzimage = true;
	if (version < VERSION_PAYLOAD)
		return err_set(err, ENOEXEC, "too old: boot protocol %u.%02u, 2.08 is needed",
			       version >> 8, version & 0xff);
	ret->entry64 = version >= VERSION_XLOADFLAGS &&
		       (le16(header + OFF_XLOADFLAGS) & XLOADFLAG_KERNEL_64);
	return scan_payload(r, (setup_sects + 1) * 512ull + le32(header + OFF_PAYLOAD),
			    le32(header + OFF_PAYLOAD_SIZE), err);
}

static int read_image(struct reader *r, struct kernel_image *ret, struct err *err)
{
	uint8_t header[HEADER_SIZE] = {0};
	size_t n = r->size < sizeof(header) ? (size_t)r->size : sizeof(header);
	int rc;

	rc = read_at(r, 0, header, n, err);
	if (rc)
		return rc;
	if (!memcmp(header, ELFMAG, SELFMAG))
		return read_elf(r, ret, err);
	if (n == sizeof(header) && le16(header + OFF_BOOT_FLAG) == 0xaa55 &&
	    !memcmp(header + OFF_MAGIC, "HdrS", 4))
		return read_bzimage(r, header, ret, err);
	return err_set(err, ENOEXEC, "neither an ELF vmlinux nor a bzImage");
}

int kernel_image_read(int fd, const char *name, struct kernel_image *ret, struct err *err)
{
	FREE uint8_t *chunk = mem_xalloc(CHUNK);
	struct reader r = {.fd = fd, .chunk = chunk};
	struct kernel_image image = {0};
	struct stat st;
	int rc = 0;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "'%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ENOEXEC, "'%s': no regular file", name);
	r.size = (uint64_t)st.st_size;
	if (r.size > FILE_MAX)
		return err_set(err, EFBIG, "'%s': no kernel: more than %llu GiB", name,
			       FILE_MAX >> 30);
	ikconfig_init(&r.ikconfig, &image.config);
	rc = read_image(&r, &image, err);
	image.has_config = r.ikconfig.found;
	ikconfig_release(&r.ikconfig);
	if (rc) {
		kernel_image_release(&image);
		return err_wrap(err, rc, "'%s'", name);
	}
	*ret = image;
	return 0;
}

void kernel_image_release(struct kernel_image *image)
{
	buf_release(&image->config);
}
