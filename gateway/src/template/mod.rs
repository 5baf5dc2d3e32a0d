//! Text with variables: `"$remote_addr - $request"`.
