"""All pages: importing this module gives the blueprint its routes."""

from service.web import assets, login_pages, queue_pages, work_order_pages
from service.web.blueprint import desk

__all__ = ["assets", "desk", "login_pages", "queue_pages", "work_order_pages"]
