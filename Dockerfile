# One image, several commands: `serve`, `worker`, `db upgrade`, … (see `tallywatt --help`).
FROM python:3.13-slim AS build
WORKDIR /app
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
COPY uv.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r uv.txt
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project --no-cache
COPY README.md LICENSE ./
COPY api api
COPY domain domain
COPY migrations migrations
COPY resolvers resolvers
COPY simulators simulators
RUN uv sync --frozen --no-dev --no-editable --no-cache

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Tallywatt" org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin tallywatt
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 TALLYWATT_ENVIRONMENT=production TALLYWATT_BIND_HOST=0.0.0.0
WORKDIR /tmp
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["tallywatt"]
CMD ["serve"]
