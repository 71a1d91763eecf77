/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which file system an image has shows in its superblock: of EROFS (fs/erofs/erofs_fs.h), 1024 bytes
 * in, or of ext4 (Documentation/filesystems/ext4/super.rst), likewise.
 */
#include "runtime/vm_root_image.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define SUPERBLOCK_AT    1024
#define EROFS_MAGIC      0xe0f5e1e2u
#define EROFS_BLOCK_BITS 12 /* bytes into the superblock */
#define EXT4_MAGIC       0xef53u
#define EXT4_LOG_BLOCK   24
#define EXT4_MAGIC_AT    56
#define PAGE_BITS        12

static int block_bits(const uint8_t sb[static 64], const char **ret_type)
{
	uint32_t magic, log_block;
	uint16_t ext4_magic;

	memcpy(&magic, sb, sizeof(magic));
	memcpy(&ext4_magic, sb + EXT4_MAGIC_AT, sizeof(ext4_magic));
	memcpy(&log_block, sb + EXT4_LOG_BLOCK, sizeof(log_block));
	if (le32toh(magic) == EROFS_MAGIC) {
		*ret_type = "erofs";
		return sb[EROFS_BLOCK_BITS];
	}
	if (le16toh(ext4_magic) != EXT4_MAGIC)
		return -EINVAL;
	*ret_type = "ext4";
	log_block = le32toh(log_block);
	return log_block > PAGE_BITS ? 0 : (int)(10 + log_block);
}

int vm_root_image_open(const char *path, int *ret_fd, const char **ret_type, struct err *err)
{
	CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	uint8_t superblock[64];
	struct stat st;
	int bits;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "root image '%s'", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, EINVAL,
			       "root image '%s': neither a regular file nor a block device", path);
	if (pread(fd, superblock, sizeof(superblock), SUPERBLOCK_AT) != sizeof(superblock))
		return err_set(err, EINVAL, "root image '%s': too short for a file system", path);
	bits = block_bits(superblock, ret_type);
	if (bits < 0)
		return err_set(err, EINVAL, "root image '%s': neither EROFS nor ext4", path);
	if (bits != PAGE_BITS)
		return err_set(err, ENOTSUP, "root image '%s': its %s has no blocks of 4096 bytes",
			       path, *ret_type);
	*ret_fd = fd_take(&fd);
	return 0;
}
