"""The document 证照文件: what people keep and print, bound to the record and to the code on it.

``render`` makes the page with typst, ``sign`` puts the agency's signature under it, ``read`` takes a
signed file apart again, and ``compare`` tells whether page and record agree.
"""
